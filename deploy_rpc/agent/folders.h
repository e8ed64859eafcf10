/* Work folders of sessions: made and removed, also those that a killed agent left behind. */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* A folder, and the lock on it that tells other agents that it is in use. */
typedef struct {
  char path[PATH_MAX];
  int lock;
} WorkFolder;

/* Makes a new folder in `work`; false, with errno, where there can be none now. */
bool make_folder(const char *work, WorkFolder *folder);

/* Removes it with all that is in it. */
void remove_folder(WorkFolder *folder);

/* Removes the folders in `work` that no agent holds any more. */
void remove_leftovers(const char *work);
