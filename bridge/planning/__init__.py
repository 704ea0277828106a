"""What should happen? Inquiry, match and rules of the config → Plan (pure): a page a contractor can check before it runs."""
