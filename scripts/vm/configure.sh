# Runs inside the new root filesystem (chroot): the user, what starts, and what does not.
# ana runs the tests and lingers; what ends with a session, or breaks one, is tried with ben, who does not.
useradd --create-home --uid 1000 --shell /bin/bash ana
useradd --create-home --uid 1001 --shell /bin/bash ben
usermod --append --groups systemd-journal ana
printf 'ana:100000:65536\nben:165536:65536\n' | tee /etc/subuid > /etc/subgid
mkdir -p /var/lib/systemd/linger && touch /var/lib/systemd/linger/ana
passwd --quiet --delete root
chmod 440 /etc/sudoers.d/lab
chmod 755 /usr/local/bin/* /usr/local/sbin/*

echo lab > /etc/hostname
printf '127.0.0.1 localhost lab\n::1 localhost\n' > /etc/hosts
printf 'nameserver 10.0.2.3\n' > /etc/resolv.conf
echo 6c61626c61626c61626c61626c61626c > /etc/machine-id
install -d -o ana -g ana /lab

# What `systemctl enable` would do, without its complaints about a machine that does not run.
ln -sf /usr/lib/systemd/system/multi-user.target /etc/systemd/system/default.target
mkdir -p /etc/systemd/system/multi-user.target.wants
ln -sf /etc/systemd/system/lab-agent.service /etc/systemd/system/lab-net.service /etc/systemd/system/multi-user.target.wants/

# Each unit costs a second or so of emulated boot, and these do nothing for a guest that is thrown away.
mask() { for unit in "$@"; do ln -sf /dev/null "$unit"; done; }
(cd /etc/systemd/system && mask \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer man-db.timer \
  systemd-tmpfiles-clean.timer console-getty.service getty-static.service getty.target getty@tty1.service serial-getty@ttyS0.service serial-getty@hvc0.service \
  ldconfig.service systemd-battery-check.service systemd-boot-random-seed.service systemd-firstboot.service systemd-hibernate-clear.service \
  systemd-hwdb-update.service systemd-journal-catalog-update.service systemd-journal-flush.service systemd-machine-id-commit.service \
  systemd-network-generator.service systemd-pcrmachine.service systemd-pcrphase-sysinit.service systemd-pcrphase.service systemd-pstore.service \
  systemd-random-seed.service systemd-remount-fs.service systemd-sysusers.service systemd-timesyncd.service systemd-tpm2-setup-early.service \
  systemd-tpm2-setup.service systemd-udev-load-credentials.service systemd-udev-settle.service systemd-update-done.service \
  systemd-update-utmp-runlevel.service systemd-update-utmp.service systemd-ask-password-console.path systemd-ask-password-wall.path systemd-hostnamed.socket systemd-importd.socket machines.target \
  dev-hugepages.mount proc-sys-fs-binfmt_misc.automount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
  modprobe@configfs.service modprobe@drm.service modprobe@efi_pstore.service modprobe@fuse.service netavark-dhcp-proxy.socket netavark-firewalld-reload.service nftables.service \
  podman.service podman.socket podman-auto-update.service podman-auto-update.timer podman-clean-transient.service podman-restart.service)
mkdir -p /etc/systemd/user
(cd /etc/systemd/user && mask podman.service podman.socket podman-auto-update.timer podman-clean-transient.service podman-restart.service \
  systemd-tmpfiles-clean.timer systemd-tmpfiles-setup.service dirmngr.socket gpg-agent.socket gpg-agent-browser.socket gpg-agent-extra.socket gpg-agent-ssh.socket keyboxd.socket)
