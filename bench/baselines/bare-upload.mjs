// The least that receiving an image can cost: SHA-256 over the body, and the body in a file below the folder named
// first. Served by HTTPS where a file with a key and a certificate is named second. DELETE removes the files, so that
// their removal is nobody's time.
import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { join } from 'node:path'
import { pipeline } from 'node:stream'

const [folder, pemFile] = process.argv.slice(2)
const paths = []

const handle = (request, response) => {
  if (request.method === 'DELETE') {
    for (const path of paths.splice(0)) rmSync(path)
    response.end()
    return
  }
  const hash = createHash('sha256')
  const hashed = async function* (chunks) {
    for await (const chunk of chunks) {
      hash.update(chunk)
      yield chunk
    }
  }
  const path = join(folder, randomUUID())
  paths.push(path)
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600, highWaterMark: 2 ** 20 })
  pipeline(request, hashed, file, (error) => {
    response.writeHead(error ? 500 : 202, { 'X-Digest': error ? '' : hash.digest('hex') }).end()
  })
}
const pem = pemFile === undefined ? undefined : readFileSync(pemFile)
const server =
  pem === undefined
    ? createServer(handle)
    : createHttpsServer({ key: pem, cert: pem, minVersion: 'TLSv1.2' }, handle)
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => {
  console.log(`${pem === undefined ? 'http' : 'https'}://127.0.0.1:${server.address().port}`)
})
