"""SPARQL: what a query may hold, graphs from endpoints, rules over a graph that was loaded."""
