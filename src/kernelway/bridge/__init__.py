"""The bridge: ZeroMQ for clients that know nothing else, over one link to one kernel of a gateway."""
