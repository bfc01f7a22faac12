package spool

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestKinds has file systems told apart that behave differently.
func TestKinds(t *testing.T) {
	for magic, want := range map[int64]State{
		unix.EXT4_SUPER_MAGIC:      {StackDepth: 1},
		unix.BTRFS_SUPER_MAGIC:     {StackDepth: 1},
		unix.TMPFS_MAGIC:           {StackDepth: 1, Kind: Memory},
		unix.NFS_SUPER_MAGIC:       {StackDepth: 1, Kind: Network},
		unix.SMB2_SUPER_MAGIC:      {StackDepth: 1, Kind: Network},
		unix.FUSE_SUPER_MAGIC:      {StackDepth: 2, Kind: Network},
		unix.OVERLAYFS_SUPER_MAGIC: {StackDepth: 2},
		unix.EXFAT_SUPER_MAGIC:     {StackDepth: 1, Kind: FAT},
		zfsMagic:                   {StackDepth: 1, ZerosAreHoles: true},
	} {
		got := State{StackDepth: 1}
		if got.judge(&unix.Statfs_t{Type: magic}); got != want {
			t.Errorf("%#x: %+v, want %+v", magic, got, want)
		}
	}
}
