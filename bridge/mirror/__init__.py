"""ServiceTitan's customers, locations, contacts, bookings, leads and reference lists as last seen."""
