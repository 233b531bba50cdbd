// What a service costs that does nothing: the bytes of the file named first, at every path, with the headers of the file
// named second. Plain JavaScript, so that its start pays for no stripping of types.
import { fastify } from 'fastify'
import { readFileSync } from 'node:fs'

const body = readFileSync(process.argv[2])
const headers = process.argv[3] === undefined ? {} : JSON.parse(readFileSync(process.argv[3], 'utf8'))
const app = fastify()
app.get('/*', (_request, reply) => {
  reply.headers({ 'content-type': 'application/json; charset=utf-8', ...headers }).send(body)
})
console.log(await app.listen({ host: '127.0.0.1', port: 0 }))
