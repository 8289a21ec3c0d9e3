"""Interactive panels: controls, and pictures that are pure functions of what they say."""
