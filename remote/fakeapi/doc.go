// Package fakeapi is the asset API as an http.Handler. Tests and the demo use it over real
// HTTP. It knows nothing about the client.
//
// A [Server] holds [Asset]s, whose bytes are computed from ID, version and offset, so that
// large ones cost nothing. Each request is recorded as a [Request] before it is answered,
// with the bytes written for it. Failures are data: an asset, or the [Config], has [Fault]s,
// which say what requests they strike and what happens to those.
//
// # What is served
//
// Any path prefix may come before these paths, so a base URL of any depth works:
//
//	GET /{id}/download           the asset, or a JSON error object
//	GET /download?bucket=&blob=  the same by the asset's place
//	GET /{id}/metadata           the free call
//	POST /list_videos            the library: a page of the videos of a scope
//	GET /storage/{id}?signature= the asset again, as a storage host serves it after a
//	                             redirect: it needs no key, and refuses a request
//	                             with one, as S3 does
//
// Other methods are answered with 405, even HEAD; other paths with a gateway's 404. An unknown
// asset is a 400 with `Asset not found`. The documents of the service do not say how an
// unfinished upload is answered; here it is a 400 with the upload status.
//
// # Limits
//
// Each kind of call has its own [Limit] for the account. The account is used by everybody who
// has one of its keys, at this server or at servers that [Server.Share] it, and perhaps by
// another client, whose requests are computed from the time. Every request with a good key
// counts, even one answered with a fault or an error. Beyond the limit it is refused before
// anything else is checked.
//
// # Ranges
//
// A single range in any of its three forms (`a-b`, `a-`, `-n`) is answered with 206 and
// Content-Range, one that can't be satisfied with 416 and `bytes */size`. Ignored are
// malformed ranges, several at once, one whose If-Range does not match, and every range with
// Config.NoRange, Asset.NoRange or Asset.NoLength. Other fields of [Asset] change the answers.
//
// # Failures
//
// They are configured in three places. [Config] is for the whole service: the dialect of its
// JSON, limits, a captive portal, one connection at a time, a restart that changes ETags.
// [Asset] is for every answer about one asset: validators that differ, ranges that are ignored
// or mislabelled, an upload that is not ready. [Fault] is for some requests: another body
// ([Fault.Form]), another length, a cut, a stall. They combine. A portal comes before limits,
// limits before faults, and faults before the key.
//
// # Which bytes count
//
// [Request.Bytes] counts bytes of assets when they are given to the kernel. What a client has
// not read may be in the socket buffers of both sides, some MB on loopback; it counts, as it
// would on a bill. A write that blocks, because the client does not read, counts when it ends,
// so up to [writeSize] bytes may be missing until then. [Request.Acknowledged] is the lower
// bound, available with [Watch], which looks at TCP's send queues: bytes that the client's
// kernel certainly had. An honest client counts a number between the two.
package fakeapi
