"""Where the outside gets in: translate, decide nothing."""
