/* Waits of the agent: each ends with what was waited for, a limit, or the agent's own end. */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SIGTERM, SIGINT, or the end of a watched standard input has come. */
extern volatile sig_atomic_t stopping;
extern sigset_t unblocked; /* the signal mask while the agent waits */

/* Ends the program with `what` and errno's text. */
void fail(const char *what);

/* SIGTERM and SIGINT arrive only while the agent waits in ppoll, so that none is missed. */
void catch_signals(bool exit_with_stdin);

int64_t now_ms(void);

/* Waits until `descriptor` (-1: none) has something, or ends; false when the agent is to stop, or
 * at `deadline_ms`, of which 0 is none. */
bool wait_for(int descriptor, int64_t deadline_ms);

/* The same, or until the other end of `connection` is closed. */
bool wait_for_either(int descriptor, int connection, int64_t deadline_ms);

/* All `size` bytes, or false: the other side left, or was not done at `deadline_ms`. */
bool receive(int connection, void *data, size_t size, int64_t deadline_ms);
bool transmit(int connection, const void *data, size_t size);

/* After so long a send that nobody takes gives up; 0 is no limit. */
void limit_sends(int connection, int seconds);
