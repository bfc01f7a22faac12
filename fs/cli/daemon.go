package cli

import (
	"os"
	"path/filepath"

	"assetfs/fs/cli/background"
)

// startChild continues in the background, and returns when the mount is ready.
func (a *app) startChild(args []string) error {
	root, err := a.spoolRoot()
	if err != nil {
		return err
	}
	handover := background.Handover{Key: a.key}
	if info, err := os.Stat(a.KeyFile); err == nil && !info.Mode().IsRegular() {
		key, err := a.apiKey()
		if err != nil {
			return err
		}
		handover.KeyRead = true
		handover.Key, _ = key.Secret() // "" if there is none
	}
	if a.list != nil && (a.IDs == "-" || a.list.Once()) {
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
	err = background.Start(background.Options{Args: args, Log: logFile, Handover: handover, Warn: a.warn})
	if err != nil {
		return err
	}
	point, err := filepath.EvalSymlinks(a.Mountpoint)
	if err != nil {
		point = a.Mountpoint // it has been unmounted already
	}
	a.sayMounted(point)
	return nil
}

// handed reports whether the parent has read --ids, because only it could.
func (a *app) handed() bool { return a.child != nil && a.child.IDs != nil }
