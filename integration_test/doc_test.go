// Package integration_test builds assetfs, mounts it in a process of its own and drives it with the tools that people use.
//
// Each test is a script in testdata/script that a shell user can read. Next to the commands of
// github.com/rogpeppe/go-internal/testscript (exec, stdout, cmp, ! for "must fail") there are:
//
//	api start [SETTING...]      start an API on loopback, sets $API; "api set" changes settings later
//	api stop                    take it offline; "api start" brings it back at the same address
//	api freeze                  its connections die without a word, new ones too, until "api thaw" lets new ones live
//	api asset ID [KEY=VALUE...] put an asset there, or change it
//	api delete ID               the server loses an asset
//	api video SCOPE ID [KEY=VALUE...]
//	                            put a video into the library; its place is made from its ID unless blob= says otherwise
//	api videos SCOPE FIRST COUNT
//	                            put that many that are made up, the nth called "SCOPE n.mp4", n with six digits
//	api unlist ID...            remove videos
//	api scopes SCOPE...         the library has these scopes, in alphabetical order
//	api lists [SCOPE] N         that many pages of lists were asked for
//	api requests [ID] N         that many downloads were requested, as the server saw it (N, <=N, >=N)
//	api metadata [ID] N         that many metadata calls
//	api billed [ID] SIZE        so many bytes were sent (SIZE, <=SIZE, >=SIZE)
//	api idle                    wait until no response is being sent
//	api await ID [BYTES]        wait until a download has been requested, and so much of it has been sent
//	api reset                   forget requests and bytes
//	content ID FILE             write an asset's true bytes to a file, for cmp
//	media NAME...               make $MEDIA/NAME with ffmpeg, once a run
//	mount [FLAG...] [ID...]     run assetfs on $MNT and wait until it is ready
//	umount [SIGNAL]             end it (SIGTERM, or INT, KILL), check its exit status and that the mount is gone
//	errno NAME PROGRAM [ARG...] the program must fail and give that error's text on stderr
//	files N DIR                 the directory has so many entries
//	named ID NAME               the asset has that name, by-id points to it, and its bytes are right
//	logged REGEXP               wait until assetfs has said that
//	signal NAME                 send assetfs a signal
//	notify start                listen as systemd does for its services, on $NOTIFY_SOCKET
//	notify LINE                 the next that it is told is LINE
//	proxy start [noslice]       nginx as fs/cli/docs/team.md has it, before the API, with TLS; sets $PROXY. noslice leaves slices out
//	proxy stop                  end it
//	smalldisk SIZE DIR          a file system of its own, for disks that are full (as root)
//	patience [SECONDS]          how long the kernel waits for a reply; without an argument as it was (as root)
//
// Scripts in testdata/clients are the same, and run once: TestClients.
//
// Scripts in testdata/servers run in TestServers, which has real servers instead of that API. Their assets are files below $FILES,
// and the programs in $TOOLS compare these with the mount. Scripts in each, alone, ranges and pauses run once for each kind of server,
// which "server start $SERVER" starts. There are the commands exec, mount, umount, errno, logged, signal, and:
//
//	server start NAME [SETTING...]     start a server from testdata/servers/config/NAME and those behind it, sets $API, $NAME_PORT
//	server stop|kill NAME              end it by SIGTERM, SIGKILL
//	server restart NAME [SETTING...]   end it, and start it again at the same address
//	server requests NAME [FIELD...] N  so many requests are in its log with all these fields: an ID, download, metadata, a status,
//	                                   a protocol (N, MIN..MAX)
//	server billed NAME [FIELD...] N    so many bytes were sent for them, as it says
//	server forget NAME                 what is in its log by now does not count any more
//	asset replace ID                   other bytes of the same length take the place of a file
//	asset copy ID                      a copy of the same time takes its place
//	asset touch ID                     its time changes, and its bytes do not
//	rest DURATION                      wait, and let other scripts work meanwhile
//
// Settings of the API and keys of an asset are the fields of package fakeapi; settings_test.go says how they are written.
// What a script started is ended by its own process ID when the script ends, however it ends.
package integration_test
