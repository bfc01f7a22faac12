package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"

	"assetfs/fs/cli/idlist"
	"assetfs/fs/cli/limits"
	"assetfs/fs/mount"
	"assetfs/fs/service"
	"assetfs/fs/spool"
	"assetfs/remote"
)

const (
	// unlistedID is used if no asset is listed. It need not exist: any answer of the API
	// will do.
	unlistedID = "re_0"
	// answerWithin is how long check waits for the API.
	answerWithin = 15 * time.Second
)

// newCheck is "assetfs check".
func newCheck() *cobra.Command {
	s := newSettings()
	c := &cobra.Command{
		Use:                   "check [FLAGS OF THE MOUNT] [MOUNTPOINT [ASSET_ID...]]",
		Short:                 "Would a mount work? FUSE, key, network, spool, limits; costs nothing",
		DisableFlagsInUseLine: true,
		ValidArgsFunction:     completeMount,
		RunE: func(c *cobra.Command, args []string) error {
			for _, name := range notChecked {
				if c.Flags().Changed(name) {
					return usagef("check takes no --%s; write assetfs --%[1]s", name)
				}
			}
			if err := s.completeCheck(args); err != nil {
				return err
			}
			ctx, stop := interruptible()
			defer stop()
			return check(ctx, c.OutOrStdout(), s)
		},
	}
	c.Flags().AddFlagSet(s.flags)
	for _, name := range notChecked {
		s.flags.Lookup(name).Hidden = true
	}
	completeFlags(c, s.flags)
	return c
}

// notChecked are flags that do not belong to a mount. All others, even --daemon, are accepted,
// so that "check" can be inserted into the command line of a mount.
var notChecked = []string{"manual", "version", "help-all"}

// completeCheck is complete without a required mount point.
func (s *settings) completeCheck(args []string) error {
	if len(args) > 0 {
		return s.complete(args)
	}
	err := s.complete([]string{"/"})
	s.Mountpoint = ""
	return err
}

// errFaults ends a check that has found faults, which were printed.
var errFaults = errors.New("a mount would not work: see the faults above")

// check examines everything that a mount needs, and writes a line for each. It returns
// errFaults if something is wrong.
func check(ctx context.Context, out io.Writer, s *settings) error {
	key := os.Getenv(keyVariable)
	_ = os.Unsetenv(keyVariable) // as a mount does
	found := fine
	show := func(lines ...finding) {
		for _, f := range lines {
			f.write(out)
			found = max(found, f.grade)
		}
	}
	a := &app{settings: s, key: key}
	show(machineFindings(mount.LookAtMachine(), s)...)
	show(processFindings(openFiles(), memoryLimit(), os.Getenv)...)
	if _, err := limits.Threads(); err != nil {
		show(fault("threads", "%v", err))
	}
	show(a.mountpointFinding()...)
	if !s.Demo {
		ids, list := a.listFindings()
		show(list...)
		a.apiFindings(ctx, ids, show)
	}
	if found == bad {
		return errFaults
	}
	return nil
}

// mountpointFinding examines the mount point, if one was given.
func (a *app) mountpointFinding() []finding {
	const what = "mount point"
	if a.Mountpoint == "" {
		return nil
	}
	if root, err := a.spoolRoot(); err == nil && mount.Nested(a.Mountpoint, root) && !a.Demo {
		return []finding{fault(what, "%v", nested(root, a.Mountpoint))}
	}
	remark, err := mount.Check(a.Mountpoint)
	switch {
	case err != nil:
		return []finding{fault(what, "%v", err)}
	case remark != "":
		return []finding{ok(what, "%s: %s", a.Mountpoint, remark)}
	}
	return []finding{ok(what, "%s is an empty directory", a.Mountpoint)}
}

// listFindings examines the list of assets.
func (a *app) listFindings() (ids []string, found []finding) {
	const what = "assets"
	switch a.IDs {
	case "":
		return a.Args, nil
	case "-":
		return a.Args, []finding{ok(what, "--ids - is standard input, which a check does not read")}
	}
	ids, wrong, err := idlist.ReadFile(a.IDs, a.IDPattern)
	switch {
	case err != nil:
		return a.Args, []finding{fault(what, "%v", fileError("--ids", a.IDs, err, "give a file of asset IDs, one a line"))}
	case len(wrong) > 0:
		found = append(found, warning(what, "%v", wrong[0]))
	case len(ids) == 0:
		found = append(found, warning(what, "--ids %s lists no asset yet", a.IDs))
	default:
		found = append(found, ok(what, "%d listed in %s", len(ids), a.IDs))
	}
	return append(a.Args, ids...), found
}

// apiFindings examines the key, the spool, and, by one free call, everything between this
// machine and the API.
func (a *app) apiFindings(ctx context.Context, ids []string, show func(...finding)) {
	key, found := a.keyFindings()
	show(found...)
	base, err := remote.CheckBaseURL(a.BaseURL, a.Insecure)
	if err != nil {
		show(fault("API", "--base-url: %v", err))
		return
	}
	a.base = base
	if _, err := a.Library.root(a.Insecure); err != nil {
		show(fault("library", "%v", err))
	}
	spooled, found := a.spoolFindings()
	show(found...)
	for _, line := range remote.Learnt(a.RateLimit, func(name string) string { return spooled.Notes[name] }, time.Now()) {
		show(warning("rate limit", "%s", line))
	}
	show(ok("rate limit", "--rate-limit is %s", a.RateLimit.String()))
	trust, err := a.trust()
	if err != nil {
		show(fault("certificate", "%v", err))
		return
	}
	client := remote.NewClient(base, remote.Options{Key: key, RateLimit: a.RateLimit, ResponseTimeout: answerWithin, TLS: trust})
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	id := append(ids, unlistedID)[0]
	show(networkFindings(client.Check(ctx, id), base, key.Check() == nil)...)
	// Wait until the rate limit allows a mount's first call, too.
	if b := client.MetadataBudget(remote.Reader); b.Available == 0 && b.Down == nil {
		select {
		case <-time.After(min(time.Until(b.Next), 2*time.Second)):
		case <-ctx.Done():
		}
	}
}

// keyFindings examines the key.
func (a *app) keyFindings() (*remote.Key, []finding) {
	const what = "key"
	key, err := a.apiKey()
	switch {
	case err != nil:
		return remote.NewKey("", ""), []finding{fault(what, "%v", err)}
	case a.noKey:
		return key, []finding{fault(what, "there is none: give one with --api-key-file FILE or in the variable %s; without a key only the spool can be read", keyVariable)}
	case a.KeyFile == "":
		return key, []finding{ok(what, "from the environment (%s)", keyVariable)}
	}
	if info, err := os.Stat(a.KeyFile); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return key, []finding{warning(what, "other users may read %s: run chmod 600 %[1]s", a.KeyFile)}
	}
	return key, []finding{ok(what, "from %s", a.KeyFile)}
}

// spoolFindings examines the spool and its disk.
func (a *app) spoolFindings() (service.StoreState, []finding) {
	const what = "spool"
	root, err := a.spoolRoot()
	if err != nil {
		return service.StoreState{}, []finding{fault(what, "%v", err)}
	}
	state, err := service.InspectStore(root, a.base.String())
	found := diskFindings(state.State, a.settings)
	var locked *spool.LockedError
	switch {
	case errors.As(err, &locked):
		return state, append(found, fault(what, "%v", err))
	case err != nil:
		return state, append(found, fault(what, "%v", a.spoolError(err)))
	case !state.Exists:
		return state, append(found, ok(what, "mounting will make %s", state.Path))
	}
	return state, append(found, ok(what, "%s holds %s", state.Path, bytesText(state.Held)))
}

// nested is the error for a spool inside of the mount point, or around it.
func nested(root, point string) error {
	return fmt.Errorf("the spool (%s) and the mount point (%s) must not contain each other; give another --spool-dir or mount point", root, point)
}

// networkFindings describes what one free call has shown.
func networkFindings(c remote.Checkup, base *url.URL, hasKey bool) []finding {
	return append([]finding{verdictFinding(c, base, hasKey)}, answerFindings(c, base)...)
}
