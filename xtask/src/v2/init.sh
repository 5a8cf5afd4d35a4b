#!/bin/busybox sh
# The first program of the machine, in the initramfs: loads the drivers, puts the root file
# system together, and goes over to it. Whatever fails ends this shell, hence the kernel,
# hence the machine; the reason stands on the console.
set -e
b=/bin/busybox
$b mkdir -p /proc /dev /new
$b mount -t proc proc /proc
$b mount -t devtmpfs devices /dev
while read -r module; do
    $b insmod "/modules/$module.ko"
done < /modules/order
$b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose host /new

# What the host has at these places is neither ours to see nor there to be written.
$b mount -t tmpfs -o mode=755 tmpfs /new/run
$b mount -t tmpfs -o mode=700 tmpfs /new/root
$b mount -t ext4 -o noatime /dev/vda /new/tmp
$b rmdir /new/tmp/lost+found
$b chmod 1777 /new/tmp
$b mount -t proc proc /new/proc
$b mount -t sysfs sysfs /new/sys
$b mount -t securityfs securityfs /new/sys/kernel/security
# As systemd mounts it.
$b mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /new/sys/fs/cgroup
$b mount -t devtmpfs devices /new/dev
$b mkdir /new/dev/pts /new/dev/shm
$b mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /new/dev/pts
$b mount -t tmpfs -o mode=1777 tmpfs /new/dev/shm
$b ln -s /proc/self/fd /new/dev/fd
$b ln -s fd/0 /new/dev/stdin
$b ln -s fd/1 /new/dev/stdout
$b ln -s fd/2 /new/dev/stderr

$b hostname v2
$b ip link set lo up
$b mkdir /new/run/v2
$b cp $b /inside.sh /program.sh /new/run/v2/
$b umount /dev /proc
# Not chroot: in one, no user namespace can be made and `pivot_root` fails.
exec $b switch_root /new /run/v2/busybox sh /run/v2/inside.sh
