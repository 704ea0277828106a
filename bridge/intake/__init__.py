"""Keep what arrived, once: judge the raw request, store it in one commit with its neighbours, remember what was refused."""
