//! Logs, terminals and executions: the streams of a running container.
