"""Long runs that a person starts: does anything grow, err or get lost in them?"""
