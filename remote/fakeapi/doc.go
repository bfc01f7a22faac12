// Package fakeapi is the asset API as an http.Handler: the stand-in that tests
// and the demo talk to over real HTTP. It knows nothing of the client.
//
// The model: a [Server] holds [Asset]s, whose bytes are computed from ID,
// version and offset and so cost nothing however large they are. Each request is
// noted as a [Request] before it is answered, with the bytes written for it. What
// goes wrong is data: an asset, or the [Config], carries [Fault]s, each of which
// says which requests it strikes and what happens to them.
//
// # What is served
//
// Any path prefix may stand before these, so a base URL of any depth works:
//
//	GET /{id}/download           the asset, or a JSON error object
//	GET /download?bucket=&blob=  the same by the asset's place
//	GET /{id}/metadata           the free call
//	POST /list_videos            the library: a page of the videos of a scope
//	GET /storage/{id}?signature= the asset again, as a storage host serves it to
//	                             whom a redirect has sent there: no key is wanted,
//	                             and a request that brings one is refused, as S3
//	                             refuses it
//
// Other methods answer 405, HEAD too; other paths answer a gateway's HTML page
// with 404. An unknown asset is a 400 that says `Asset not found`. Where the
// service's documents are silent, this package decides: an asset whose upload
// is not finished is a 400 that names the status.
//
// # Limits
//
// Each kind of call has a [Limit] of its own, which holds for an account: whoever
// asks with one of its keys, at this server or at one that is made to [Server.Share]
// it, and perhaps another client. Whatever came with a good key counts, also
// where a fault or an error is the answer; beyond the limit nothing else is looked
// at. Another client is computed from the time, so that nobody has to run for it.
//
// # Ranges
//
// One range in any of its three forms (`a-b`, `a-`, `-n`) is answered with 206
// and Content-Range, one that can't be satisfied with 416 and `bytes */size`. A
// malformed one, several at once, or one whose If-Range does not match is
// ignored, and so is each one under Config.NoRange or Asset.NoRange, and of an
// asset whose length nobody tells. [Asset] says how else they may be answered.
//
// # What goes wrong
//
// There are three places for that. What the whole service does is in [Config]: the
// dialect of its JSON, limits, a captive portal, one connection at a time, a
// restart that changes ETags. What one asset's server does in every answer is in
// [Asset]: validators that differ, ranges that are ignored or mislabelled, an upload
// that is not ready. What happens to some requests is a [Fault]: another body
// ([Fault.Form]), another length, a cut, a stall. They combine, and in this order: a
// portal comes before limits, limits before faults, faults before the key.
//
// # What bytes mean
//
// [Request.Bytes] counts bytes of assets as they are handed to the kernel. What a
// client has not read may be in the socket buffers of both sides, some MB on
// loopback, and counts all the same, as it would on a bill. A write blocked on a
// client that does not read is counted when it ends, so that up to [writeSize]
// may be missing until then. [Request.Acknowledged] is the other bound, where
// [Watch] gives a view of TCP's send queues: bytes that the client's kernel had for
// certain. What an honest client counts lies between the two.
package fakeapi
