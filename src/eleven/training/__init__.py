"""Training one fine-tune, or several that complement each other, on photos; resumable, and written for other tools."""
