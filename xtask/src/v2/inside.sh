# The first program of the machine, in its final root file system: runs the program, passes
# on what it writes, reports its exit code on the console, and turns the machine off.
b=/run/v2/busybox
for port in /dev/vport*p1; do :; done

# A pipe in between, because the port can be opened only once and programs open
# /dev/stdout and /dev/stderr again.
$b mkfifo /run/v2/output
$b cat /run/v2/output > "$port" &
reader=$!
# As systemd sets them; the kernel's own hard limit is 4096.
ulimit -Hn 524288
# By the shell of the host, because busybox prefers its own programs to those of the host. A
# session of its own, because here session and process group are 0, which means "mine" to kill(2).
$b setsid /bin/sh /run/v2/program.sh < /dev/null > /run/v2/output 2>&1
code=$?
# What the program left running may hold the pipe open.
{ $b sleep 2; $b kill $reader; } 2> /dev/null &
wait $reader

# No word of the kernel into the line that is read.
$b dmesg -n 1
echo
echo "AEGIS-V2-EXIT $code"
$b poweroff -f
