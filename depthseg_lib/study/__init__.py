"""Which runs a study has: profiles, the plan, the workflow."""
