// Package integration_test builds assetfs, mounts it in a process of its own, and uses it with the tools that people use.
//
// Each test is a script in testdata/script that a shell user can read. It may use the commands of
// github.com/rogpeppe/go-internal/testscript (exec, stdout, cmp, ! for "must fail") and these:
//
//	api start [SETTING...]      start an API on loopback and set $API; "api set" changes settings later
//	api stop                    take it offline; "api start" brings it back at the same address
//	api freeze                  let its connections die silently, new ones too, until "api thaw"
//	api asset ID [KEY=VALUE...] add an asset, or change it
//	api delete ID               remove an asset
//	api video SCOPE ID [KEY=VALUE...]
//	                            add a video to the library; its place is made from its ID unless blob= is given
//	api videos SCOPE FIRST COUNT
//	                            add sample videos; number n is called "SCOPE n.mp4", n with six digits
//	api unlist ID...            remove videos
//	api scopes SCOPE...         the library has exactly these scopes, in alphabetical order
//	api lists [SCOPE] N         the number of requested list pages is N
//	api requests [ID] N         the number of requested downloads is N (or <=N, >=N), as the server saw it
//	api metadata [ID] N         the number of metadata calls is N
//	api paced N/DURATION        in each DURATION came at most N requests of a kind
//	api billed [ID] SIZE        this many bytes were sent (SIZE, <=SIZE, >=SIZE)
//	api idle                    wait until no response is being sent
//	api await ID [BYTES]        wait until a download was requested, and BYTES of it were sent
//	api reset                   forget requests and bytes
//	content ID FILE             write the right bytes of an asset to a file, for cmp
//	media NAME...               make $MEDIA/NAME with ffmpeg, once per test run
//	mount [FLAG...] [ID...]     run assetfs on $MNT and wait until it is ready
//	umount [SIGNAL]             end it (by TERM, or INT, KILL); check its exit status and that the mount is gone
//	errno NAME PROGRAM [ARG...] the program must fail and print that error's text on stderr
//	files N DIR                 the directory has N entries
//	named ID NAME               the asset has that name, by-id points to it, and its bytes are right
//	logged REGEXP               wait until assetfs has printed this
//	signal NAME                 send assetfs a signal
//	notify start                listen on $NOTIFY_SOCKET as systemd does for its services
//	notify LINE                 the next message there is LINE
//	proxy start [noslice]       nginx with the configuration of fs/cli/docs/team.md, in front of the API, with TLS; sets $PROXY.
//	                            noslice omits slices
//	proxy stop                  end it
//	forward start               a user's HTTP proxy: forward_test.go
//	smalldisk SIZE DIR          a file system of its own, for full disks (as root)
//	patience [SECONDS]          set how long the kernel waits for a reply; without an argument, restore it (as root)
//
// Scripts in testdata/clients are the same, but run only once: see TestClients.
//
// Scripts in testdata/servers run in TestServers, which uses real servers instead of that API. Their assets are files below $FILES,
// and the programs in $TOOLS compare these with the mount. Scripts in each, alone, ranges and pauses run once for each kind of server,
// which "server start $SERVER" starts. They may use the commands exec, mount, umount, errno, logged, signal, and these:
//
//	server start NAME [SETTING...]     start a server from testdata/servers/config/NAME, and those behind it; set $API and $NAME_PORT
//	server stop|kill NAME              end it by SIGTERM or SIGKILL
//	server restart NAME [SETTING...]   end it, and start it again at the same address
//	server requests NAME [FIELD...] N  its log has N requests with all these fields: an ID, download, metadata, a status, a protocol
//	                                   (N, MIN..MAX)
//	server billed NAME [FIELD...] N    according to its log, N bytes were sent for them
//	server forget NAME                 ignore what is in its log now
//	asset replace ID                   replace a file by other bytes of the same length
//	asset copy ID                      replace it by a copy with the same time
//	asset touch ID                     change its time, but not its bytes
//	rest DURATION                      wait, and let other scripts run meanwhile
//
// Settings of the API and keys of an asset are fields of package fakeapi; settings_test.go says how they are written.
// When a script ends, for whatever reason, everything that it started is ended by process ID.
//
// # Promises
//
// Which tests hold which promise of fs/doc.go, beside the model (fs/asset TestModel, TestModelRun here),
// which holds P6, P7, P9, P10, P13 and P15 in all circumstances together. Of a script the first line quotes the promise or says
// what it shows. TestPromises checks that each promise has a line, and that all these tests exist.
//
//	P1   script ls, script names, script names_hostile, servers each/same
//	P2   script clashes, script library_lives, fs/catalog TestNamesStay
//	P3   script clashes, fs/catalog TestClashes
//	P4   script cat, fs/catalog TestUnlistedID
//	P5   script crawlers, script desktop, fs/catalog TestCrawlers
//	P6   script engine_cuts, script servers_bytes, script archive_loud, fs TestFaults, integration_test TestModelRun, fs TestMatrix
//	P7   script restart, script engine_seeks, fs/asset TestModel, fs TestMatrix
//	P8   script harmless, script engine_interrupt, script harmless_namespace, fs/asset TestInterruptedReaderDisturbsNobody
//	P9   script changed, script changed_times, fs/asset TestStrongChange, fs/asset TestWanderingValidators, integration_test TestStressChanges, fs TestMatrix, fs/asset TestNothingToCompare, integration_test TestOpeners
//	P10  script archive_loud, script stat, fs/catalog TestStatWaits, fs/asset TestMetadataSizeIsAPromise, fs TestMatrix
//	P11  script sparse
//	P12  script readonly
//	P13  script engine_window, script limits_cat, remote TestLimiterNeverExceeded, fs/asset TestWindowIsKept, fs TestMatrix
//	P14  script offline, script restart, fs TestMatrix
//	P15  script engine_scattered, script engine_head, fs/asset TestPromise, fs TestMatrix
//	P16  script ledger, script bill, fs/ledger TestLedger, fs/ledger TestLedgerSums, integration_test TestKillMount
//	P17  script check
//	P18  script library_scopes, script library, remote TestListVideos
//	P19  script library_lives, fs/catalog TestLibraryLives, fs/catalog TestLibraryModel, fs/catalog TestLibraryShort
//	P20  script commands_pin, fs/asset TestPins, fs/asset TestKill, integration_test TestKillMount
//	P21  script commands_fetch, script commands_resume
//	P22  script commands_free, script commands_load, integration_test TestStressChanges
//	P23  clients backups, script directory_times
//	P24  script kernel_threads, script kernel_small
//	P25  script newer_spool, fs/asset TestNewerVersion
//	P26  script commands_waiting, script commands_reasons, fs/service TestWhyNames, fs/service TestWhyCall
//	P27  script limits_fetches, fs TestReaderBeforeFetches, fs TestReaderOfFetched, remote TestPatientCalls
//	P28  script full, fs/asset TestFullCostsNothing, fs/asset TestFullForLong
package integration_test
