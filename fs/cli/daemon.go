package cli

import (
	"os"
	"path/filepath"
	"strings"

	"assetfs/fs/cli/background"
)

// startChild continues in the background, and returns when the mount is ready.
func (a *app) startChild(args []string) error {
	root, err := a.spoolRoot()
	if err != nil {
		return err
	}
	handover := background.Handover{Key: a.key}
	if passing(a.CAFile) {
		if handover.Certificates, err = a.certificates(); err != nil {
			return err
		}
	}
	if passing(a.KeyFile) {
		key, err := a.apiKey()
		if err != nil {
			return err
		}
		handover.KeyRead = true
		handover.Key, _ = key.Secret() // "" if there is none
	}
	if a.list != nil && (a.IDs == "-" || passing(a.IDs)) {
		ids, err := a.readList()
		if err != nil {
			return err
		}
		handover.IDs = append([]string{}, ids...)
	}
	logFile, err := background.OpenLog(root)
	if err != nil {
		return a.spoolError(err)
	}
	defer logFile.Close()
	o := background.Options{Args: args, Log: logFile, Handover: handover, Warn: a.warn}
	said := background.Journaled() // by the child, all that it tells us
	if said {
		o.Warn = nil
	}
	if err := background.Start(o); err != nil || said {
		return err
	}
	point, err := filepath.EvalSymlinks(a.Mountpoint)
	if err != nil {
		point = a.Mountpoint // it has been unmounted already
	}
	a.sayMounted(point)
	return nil
}

// passing reports whether the file at an absolute path, or behind its links, may be read only once
// or by this process alone: a pipe, or a descriptor like /dev/stdin and /dev/fd/63.
func passing(path string) bool {
	info, err := os.Stat(path)
	for err == nil && info.Mode().IsRegular() && !strings.HasPrefix(path, "/dev/") && !strings.HasPrefix(path, "/proc/") {
		to, end := os.Readlink(path)
		if end != nil {
			return false
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return err == nil
}

// handed reports whether the parent has read --ids, because only it could.
func (a *app) handed() bool { return a.child != nil && a.child.IDs != nil }
