"""Everything that talks to ThingSpace's auth endpoints."""
