"""Operations: what people decree: pins, boosts, campaigns, new arrivals and a deny list."""
