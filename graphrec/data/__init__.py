"""Values that the engine works on: vocabularies, events, lists, tables, attributes; arrays with checked shapes."""
