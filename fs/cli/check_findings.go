package cli

import (
	"errors"
	"net/url"
	"runtime/debug"
	"time"

	"assetfs/fs/cli/mountopt"
	"assetfs/fs/mount"
	"assetfs/fs/spool"
	"assetfs/remote"
)

// machineFindings describes whether this machine can mount.
func machineFindings(m mount.Machine, s *settings) []finding {
	found := []finding{ok("FUSE", "can be used")}
	if m.Device != nil {
		found[0] = fault("FUSE", "%v", m.Device)
	}
	switch {
	case m.MayMount:
		found = append(found, ok("mounting", "this process may mount by itself"))
	case m.Helper != nil:
		found = append(found, fault("mounting", "%v", m.Helper))
	default:
		found = append(found, ok("mounting", "fusermount3 mounts for this user"))
	}
	if s.AllowOther && !m.MayMount {
		if err := mountopt.MayAllowOther(fuseConf); err != nil {
			found = append(found, fault("allow-other", "%v", err))
		}
	}
	switch {
	case s.StableInodes:
		found = append(found, ok("kernel", "%s; whole assets are read through the page cache (--stable-inodes)", m.Release))
	case m.Passthrough:
		found = append(found, ok("kernel", "%s; it can read whole assets by itself (passthrough)", m.Release))
	default:
		found = append(found, ok("kernel", "%s; whole assets are read through the page cache: for passthrough Linux 6.9 and CAP_SYS_ADMIN are needed", m.Release))
	}
	return append(found, timeoutFinding(m.Timeout, s))
}

// timeoutFinding compares the kernel's timeout with ours.
func timeoutFinding(limit time.Duration, s *settings) finding {
	const what = "timeouts"
	patience := mount.Patience(limit)
	switch {
	case limit == 0:
		return ok(what, "the kernel sets none (sysctl fs.fuse.max_request_timeout)")
	case patience < s.RetryFor || patience < s.StallTimeout:
		return warning(what, "the kernel ends a mount whose answer takes %v, so a read waits %v at most, whatever --retry-for (%v) and --stall-timeout (%v) say: set sysctl fs.fuse.max_request_timeout and default_request_timeout to 0, or both flags lower",
			limit, patience, s.RetryFor, s.StallTimeout)
	}
	return ok(what, "the kernel ends a mount whose answer takes %v; reads wait %v at most", limit, patience)
}

// littleMemory is less than a mount needs, in bytes.
const littleMemory = 64 << 20

// memoryLimit returns how many bytes this process may have; 0: no limit. The Go runtime's
// limit was set to half of that.
func memoryLimit() int64 {
	if limit := debug.SetMemoryLimit(-1); limit < 1<<60 { // -1 only reads it
		return 2 * limit
	}
	return 0
}

// processFindings describes the limits of this process, and variables of its environment that
// have no effect.
func processFindings(files uint64, memory int64, getenv func(string) string) []finding {
	var found []finding
	switch err := enoughFiles(files); {
	case err != nil:
		found = append(found, fault("open files", "%v", err))
	case files < filesEnough:
		found = append(found, warning("open files", "the limit of %d is low: many readers at once will fail; raise it (ulimit -n %d)", files, filesEnough))
	default:
		found = append(found, ok("open files", "%d are allowed", files))
	}
	if memory > 0 && memory < littleMemory {
		found = append(found, warning("memory", "the limit of %s is low: give the container %s", bytesText(memory), bytesText(littleMemory)))
	}
	if first(getenv, "ALL_PROXY", "all_proxy") != "" && first(getenv, "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy") == "" {
		found = append(found, warning("proxy", "ALL_PROXY is not read: set HTTPS_PROXY"))
	}
	return found
}

// first returns the value of the first variable that is set.
func first(getenv func(string) string, names ...string) string {
	for _, name := range names {
		if v := getenv(name); v != "" {
			return v
		}
	}
	return ""
}

// diskFindings compares the free space with what the spool may use.
func diskFindings(d spool.State, s *settings) []finding {
	const what = "disk"
	var found []finding
	size, keep := int64(s.SpoolSize), int64(s.MinFree)
	room := d.Held + d.Free - keep
	switch {
	case d.Disk == 0:
		return nil // nothing is known about the disk
	case keep > d.Disk:
		found = append(found, fault(what, "--spool-min-free=%s is more than the whole disk of %s: nothing can be downloaded", &s.MinFree, bytesText(d.Disk)))
	case room <= 0:
		found = append(found, fault(what, "%s are free and --spool-min-free=%s must stay free: nothing can be downloaded; delete something, or give a smaller value", bytesText(d.Free), &s.MinFree))
	case d.Free <= keep:
		found = append(found, warning(what, "%s are free and --spool-min-free=%s must stay free: new downloads replace what is in the spool", bytesText(d.Free), &s.MinFree))
	case size > room && !s.flags.Changed("spool-size"):
		found = append(found, ok(what, "%s are free, which is less than --spool-size=%s: the spool uses what is free", bytesText(d.Free), &s.SpoolSize))
	case size > room:
		found = append(found, warning(what, "--spool-size=%s is more than the disk has: %s beyond --spool-min-free=%s", &s.SpoolSize, bytesText(room), &s.MinFree))
	default:
		found = append(found, ok(what, "%s are free", bytesText(d.Free)))
	}
	switch d.Kind {
	case spool.Memory:
		found = append(found, warning(what, "--spool-dir is in memory, so what was paid for is lost at the next boot; give a directory on a disk"))
	case spool.Network:
		found = append(found, warning(what, "--spool-dir is on a network or FUSE file system: slow, and locks may not hold; give a directory on a disk"))
	case spool.FAT:
		found = append(found, warning(what, "--spool-dir is on FAT or exFAT, which store the end of a file only with all that is before it; give a directory on another file system"))
	case spool.Lasting:
	}
	return found
}

// verdictFinding says what the result of the call means for the user.
func verdictFinding(c remote.Checkup, base *url.URL, hasKey bool) finding {
	const what = "API"
	switch c.Verdict {
	case remote.Accepted, remote.Busy:
		return acceptedFinding(c, base)
	case remote.KeyRefused:
		if !hasKey {
			return ok(what, "%s answers, and requires a key", base)
		}
		return fault("key", "the server refuses the key: write the right one, and nothing else, to --api-key-file or %s (%v)", keyVariable, c.Err)
	case remote.AccessDenied:
		return fault("key", "the server refuses this account, or this machine's address: ask the vendor (%v)", c.Err)
	case remote.NotTheAPI:
		return fault(what, "%s is not the API: is --base-url right? (%v)", base, c.Err)
	case remote.ProxyInWay:
		return fault("proxy", "the proxy does not work, or a login page answers and not the API: look at HTTPS_PROXY and NO_PROXY, or log in with a browser (%v)", c.Err)
	case remote.Untrusted:
		return fault("certificate", "%v", c.Err)
	case remote.Unreachable:
		return fault("network", "%s can't be reached: is there a network, and is --base-url right? (%v)", base.Host, c.Err)
	case remote.Silent:
		return fault("network", "%s does not answer within %v: is there a firewall between? (%v)", base.Host, c.Took.Round(time.Second), c.Err)
	case remote.Faulty:
	}
	return fault(what, "the server has trouble: try again later (%v)", c.Err)
}

func acceptedFinding(c remote.Checkup, base *url.URL) finding {
	const what, noBalance = "API", 402
	through := ""
	if c.Proxy != "" {
		through = " through the proxy " + c.Proxy
	}
	var said *remote.Error
	switch {
	case c.Verdict == remote.Busy:
		return warning(what, "the server refuses calls for now: somebody else may use this account; try again in a minute (%v)", c.Err)
	case errors.As(c.Err, &said) && said.Number() == noBalance:
		return warning(what, "the account's balance is used up: recharge it (%v)", c.Err)
	}
	return ok(what, "%s answers in %v%s, and accepts the key", base, c.Took.Round(time.Millisecond), through)
}

const (
	// clockMost is how much clocks may differ.
	clockMost = 2 * time.Minute
	// endsSoon: a certificate that expires within this time is worth a warning.
	endsSoon = 12 * time.Hour
)

// answerFindings describes what the header of the answer shows.
func answerFindings(c remote.Checkup, base *url.URL) []finding {
	var found []finding
	switch left := time.Until(c.Expires); {
	case c.Expires.IsZero():
	case left < endsSoon:
		found = append(found, warning("certificate", "that of %s ends on %s", base.Host, c.Expires.Local().Format(time.DateTime)))
	default:
		found = append(found, ok("certificate", "is valid until %s", c.Expires.Local().Format(time.DateOnly)))
	}
	switch {
	case !c.Dated:
	case c.Ahead > clockMost:
		found = append(found, fault("clock", "this machine's is %s behind the server's: set it (timedatectl set-ntp true)", span(c.Ahead.Seconds())))
	case c.Ahead < -clockMost:
		found = append(found, fault("clock", "this machine's is %s ahead of the server's: set it (timedatectl set-ntp true)", span(-c.Ahead.Seconds())))
	default:
		found = append(found, ok("clock", "agrees with the server's"))
	}
	return found
}
