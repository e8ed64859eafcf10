#define _GNU_SOURCE
#include "folders.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PREFIX "shufflenet-session-"

enum { MOST_OPEN_FOLDERS = 8, TRIES = 3 };

/* The lock of the folder at `path`, -1 where another agent holds it or it cannot be opened. */
static int locked(const char *path) {
  int lock = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) return lock;
  if (lock >= 0) close(lock);
  return -1;
}

/* Another agent that starts may take a folder that is not locked yet for a leftover: so again. */
bool make_folder(const char *work, WorkFolder *folder) {
  for (int i = 0; i < TRIES; ++i) {
    snprintf(folder->path, sizeof folder->path, "%s/" PREFIX "XXXXXX", work);
    if (mkdtemp(folder->path) == NULL) return false;
    folder->lock = locked(folder->path);
    if (folder->lock >= 0 && access(folder->path, F_OK) == 0) return true;
    int fault = errno;
    if (folder->lock >= 0) close(folder->lock);
    rmdir(folder->path);
    errno = fault;
  }
  return false;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *at) {
  (void)status, (void)kind, (void)at;
  remove(path);
  return 0;
}

/* In a process that goes there, and is the folder's owner instead of root: who may write there could
 * turn names into links meanwhile. */
static void remove_content(int folder) {
  struct stat status;
  pid_t remover = fork();
  if (remover > 0)
    while (waitpid(remover, NULL, 0) < 0 && errno == EINTR) continue;
  if (remover != 0) return;
  if (fstat(folder, &status) != 0 || fchdir(folder) != 0) _exit(1);
  if (geteuid() == 0 && (setgid(status.st_gid) != 0 || setuid(status.st_uid) != 0)) _exit(1);
  nftw(".", remove_entry, MOST_OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
  _exit(0);
}

void remove_folder(WorkFolder *folder) {
  remove_content(folder->lock);
  rmdir(folder->path);
  close(folder->lock);
}

void remove_leftovers(const char *work) {
  WorkFolder folder;
  glob_t found;
  snprintf(folder.path, sizeof folder.path, "%s/" PREFIX "*", work);
  if (glob(folder.path, GLOB_NOSORT, NULL, &found) != 0) return;
  for (size_t i = 0; i < found.gl_pathc; ++i) {
    snprintf(folder.path, sizeof folder.path, "%s", found.gl_pathv[i]);
    folder.lock = locked(folder.path);
    if (folder.lock >= 0) remove_folder(&folder);
  }
  globfree(&found);
}
