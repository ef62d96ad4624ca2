-- The traces that messages were accepted in, for callbacks, logs and Sentry: W3C traceparent, or empty.
ALTER TABLE message ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
ALTER TABLE callback ADD COLUMN traceparent TEXT NOT NULL DEFAULT '';
