// Express's own download(): what most Node programs use. Setting: epoch.
const express = require('express')
const fs = require('fs')
const log = fs.createWriteStream('access.log', { flags: 'a' })
const assets = {
{{range .Assets}}	'{{.ID}}': ['{{.Type}}', '{{.Single}}'],
{{end}}}
const app = express()
app.use((req, res, next) => {
	const socket = req.socket
	const before = socket.bytesWritten
	const path = req.path
	res.on('close', () => {
		log.write(`${req.method} ${path} HTTP/${req.httpVersion} "${req.headers.range || ''}" ${res.statusCode} ${socket.bytesWritten - before}\n`)
	})
	next()
})
app.get('/serve/api/v2/:id/download', (req, res, next) => {
	const asset = assets[req.params.id]
	if (!asset) return next()
	const headers = { 'Content-Type': asset[0], 'Content-Disposition': asset[1] }
	{{if .Is "epoch"}}headers.ETag = '"start-{{.Start}}"'{{end}}
	res.sendFile('{{.Files}}' + req.path, { headers }, (err) => { if (err && !res.headersSent) next(err) })
})
app.get('/serve/api/v2/:id/metadata', (req, res) => {
	res.status(404).json({ code: '0001', msg: `No static resource ${req.params.id}/metadata.`, data: null, success: false, failed: true })
})
app.use((req, res) => res.status(400).json({ code: 400, msg: 'Asset not found', data: null }))
app.listen({{.Port}}, '127.0.0.1')
