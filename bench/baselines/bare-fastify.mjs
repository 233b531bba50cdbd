// What a service costs that does nothing: the bytes of the file named first, at every path. Plain JavaScript, so that
// its start pays for no stripping of types.
import { fastify } from 'fastify'
import { readFileSync } from 'node:fs'

const body = readFileSync(process.argv[2])
const app = fastify()
app.get('/*', (_request, reply) => {
  reply.type('application/json; charset=utf-8').send(body)
})
console.log(await app.listen({ host: '127.0.0.1', port: 0 }))
