"""Words that a program in C or C++ has already: no network and no output may be called so.

The names of a library begin with the network's, and an instance's type is called as the network:
`main.onnx` would make a type `main`, which no program with a function of that name can include.
"""

from __future__ import annotations

OF_C_AND_CPP = """
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t
char32_t class co_await co_return co_yield compl concept const const_cast consteval constexpr
constinit continue decltype default delete do double dynamic_cast else enum explicit export extern
false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr
operator or or_eq private protected public register reinterpret_cast requires restrict return short
signed sizeof static static_assert static_cast struct switch template this thread_local throw true
try typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t
while xor xor_eq
"""
OF_LIBRARIES = """
a64l abort abs accept access acct acos acosf acosh acoshf acoshl acosl adjtime alarm alloca
alphasort arc4random asctime asin asinf asinh asinhf asinhl asinl assert atan atan2 atan2f atan2l
atanf atanh atanhf atanhl atanl atexit atof atoi atol atoll bcmp bcopy be16toh be32toh be64toh bind
bindresvport bindresvport6 brk bsearch btowc bzero c16rtomb c32rtomb cabs cabsf cabsl cacos cacosf
cacosh cacoshf cacoshl cacosl calloc carg cargf cargl casin casinf casinh casinhf casinhl casinl
catan catanf catanh catanhf catanhl catanl cbrt cbrtf cbrtl ccos ccosf ccosh ccoshf ccoshl ccosl
ceil ceilf ceill cexp cexpf cexpl cfgetispeed cfgetospeed cfmakeraw cfsetispeed cfsetospeed
cfsetspeed chdir chmod chown chroot cimag cimagf cimagl clearenv clearerr clock clog clogf clogl
close closedir closefrom closelog complex confstr conj conjf conjl connect copysign copysignf
copysignl cos cosf cosh coshf coshl cosl cpow cpowf cpowl cproj cprojf cprojl creal crealf creall
creat crypt csin csinf csinh csinhf csinhl csinl csqrt csqrtf csqrtl ctan ctanf ctanh ctanhf ctanhl
ctanl ctermid ctime daemon difftime dirfd div dlclose dlerror dlopen dlsym dprintf drand48 drem
dremf dreml dup dup2 dysize ecvt endhostent endnetent endnetgrent endprotoent endrpcent endservent
endusershell erand48 erf erfc erfcf erfcl erff erfl errno execl execle execlp execv execve execvp
exit exp exp2 exp2f exp2l expf expl expm1 expm1f expm1l fabs fabsf fabsl faccessat fchdir fchmod
fchmodat fchown fchownat fclose fcntl fcvt fdatasync fdim fdimf fdiml fdopen fdopendir feclearexcept
fegetenv fegetexceptflag fegetround feholdexcept feof feraiseexcept ferror fesetenv fesetexceptflag
fesetround fetestexcept feupdateenv fexecve fflush ffs ffsl ffsll fgetc fgetpos fgets fgetwc fgetws
fileno finite finitef finitel flockfile floor floorf floorl fma fmaf fmal fmax fmaxf fmaxl fmemopen
fmin fminf fminl fmod fmodf fmodl fopen fork fpathconf fpclassify fprintf fputc fputs fputwc fputws
fread free freeaddrinfo freopen frexp frexpf frexpl fscanf fseek fseeko fsetpos fstat fstatat fsync
ftell ftello ftruncate ftrylockfile funlockfile futimens futimes fwide fwprintf fwrite fwscanf gamma
gammaf gammal gcvt getaddrinfo getc getchar getcwd getdelim getdirentries getdomainname
getdtablesize getegid getentropy getenv geteuid getgid getgroups gethostbyaddr gethostbyname
gethostbyname2 gethostent gethostid gethostname getitimer getline getloadavg getlogin getnameinfo
getnetbyaddr getnetbyname getnetent getnetgrent getopt getpagesize getpass getpeername getpgid
getpgrp getpid getppid getprotobyname getprotobynumber getprotoent getrpcbyname getrpcbynumber
getrpcent getservbyname getservbyport getservent getsid getsockname getsockopt getsubopt
gettimeofday getuid getusershell getw getwc getwchar getwd gmtime gsignal herror hstrerror htobe16
htobe32 htobe64 htole16 htole32 htole64 htonl htons hypot hypotf hypotl ilogb ilogbf ilogbl imaxabs
imaxdiv index initstate innetgr iruserok isalnum isalpha isatty isblank iscntrl isdigit isfdtype
isfinite isgraph isgreater isgreaterequal isinf isinff isinfl isless islessequal islessgreater
islower isnan isnanf isnanl isnormal isprint ispunct isspace isunordered isupper iswalnum iswalpha
iswblank iswcntrl iswctype iswdigit iswgraph iswlower iswprint iswpunct iswspace iswupper iswxdigit
isxdigit j0 j0f j0l j1 j1f j1l jn jnf jnl jrand48 kill killpg l64a labs lchmod lchown lcong48 ldexp
ldexpf ldexpl ldiv le16toh le32toh le64toh lgamma lgammaf lgammal link linkat linux listen llabs
lldiv llrint llrintf llrintl llround llroundf llroundl localeconv localtime lockf log log10 log10f
log10l log1p log1pf log1pl log2 log2f log2l logb logbf logbl logf logl longjmp lrand48 lrint lrintf
lrintl lround lroundf lroundl lseek lstat lutimes madvise main malloc mblen mbrlen mbrtoc16 mbrtoc32
mbrtowc mbsinit mbsrtowcs mbstowcs mbtowc memccpy memchr memcmp memcpy memmove memset mincore mkdir
mkdirat mkdtemp mkfifo mkfifoat mknod mknodat mkstemp mkstemps mktemp mktime mlock mlockall mmap
modf modff modfl mprotect mrand48 msync munlock munlockall munmap nan nanf nanl nanosleep nearbyint
nearbyintf nearbyintl nextafter nextafterf nextafterl nexttoward nexttowardf nexttowardl nice
noreturn nrand48 ntohl ntohs offsetof open openat opendir openlog pathconf pause pclose perror pipe
poll popen pow powf powl pread printf profil pselect psiginfo psignal putc putchar putenv puts putw
putwc putwchar pwrite qecvt qfcvt qgcvt qsort raise rand random rcmd read readdir readlink
readlinkat realloc reallocarray realpath recv recvfrom recvmsg remainder remainderf remainderl
remove remquo remquof remquol rename renameat revoke rewind rewinddir rexec rindex rint rintf rintl
rmdir round roundf roundl rpmatch rresvport ruserok sbrk scalb scalbf scalbl scalbln scalblnf
scalblnl scalbn scalbnf scalbnl scandir scanf seed48 seekdir select send sendmsg sendto setbuf
setbuffer setdomainname setegid setenv seteuid setgid sethostent sethostid sethostname setitimer
setjmp setlinebuf setlocale setlogin setlogmask setnetent setnetgrent setpgid setpgrp setprotoent
setregid setreuid setrpcent setservent setsid setsockopt setstate settimeofday setuid setusershell
setvbuf shutdown sigaction sigaddset sigaltstack sigblock sigdelset sigemptyset sigfillset
siggetmask siginterrupt sigismember sigmask signal signbit significand significandf significandl
sigpending sigprocmask sigqueue sigreturn sigsetmask sigstack sigsuspend sigtimedwait sigwait
sigwaitinfo sin sinf sinh sinhf sinhl sinl sleep snprintf sockatmark socket socketpair sprintf sqrt
sqrtf sqrtl srand srand48 srandom sscanf ssignal stat std stderr stdin stdout stpcpy stpncpy
strcasecmp strcat strchr strcmp strcoll strcpy strcspn strdup strerror strftime strlen strncasecmp
strncat strncmp strncpy strndup strnlen strpbrk strrchr strsep strsignal strspn strstr strtod strtof
strtoimax strtok strtol strtold strtoll strtoq strtoul strtoull strtoumax strtouq strxfrm swprintf
swscanf symlink symlinkat sync syscall sysconf syslog system tan tanf tanh tanhf tanhl tanl tcdrain
tcflow tcflush tcgetattr tcgetpgrp tcgetsid tcsendbreak tcsetattr tcsetpgrp telldir tempnam tgamma
tgammaf tgammal time timegm timelocal timeradd timerclear timercmp timerisset timersub tmpfile
tmpnam tolower toupper towctrans towlower towupper trunc truncate truncf truncl ttyname ttyslot
tzset ualarm umask ungetc ungetwc unix unlink unlinkat unsetenv usleep utimensat utimes valloc
vdprintf vfork vfprintf vfscanf vfwprintf vfwscanf vhangup vprintf vscanf vsnprintf vsprintf vsscanf
vswprintf vswscanf vsyslog vwprintf vwscanf wait wait3 wait4 waitid waitpid wcrtomb wcscat wcschr
wcscmp wcscoll wcscpy wcscspn wcsftime wcslen wcsncat wcsncmp wcsncpy wcspbrk wcsrchr wcsrtombs
wcsspn wcsstr wcstod wcstof wcstoimax wcstok wcstol wcstold wcstoll wcstombs wcstoul wcstoull
wcstoumax wcsxfrm wctob wctomb wctrans wctype wmemchr wmemcmp wmemcpy wmemmove wmemset wprintf write
wscanf y0 y0f y0l y1 y1f y1l yn ynf ynl
"""
KEYWORDS = frozenset(OF_C_AND_CPP.split())
"""Of C23 and C++23, alternative operators included."""
LIBRARY = frozenset(OF_LIBRARIES.split())
"""Functions and macros of ISO C and POSIX as glibc 2.36 declares them, those of a single word."""
