// The least that receiving an image can cost: SHA-256 over the body, and the body in a file below the folder named
// first. DELETE removes the file, so that its removal is nobody's time.
import { createHash } from 'node:crypto'
import { createWriteStream, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream'

const path = join(process.argv[2], 'body')

const server = createServer((request, response) => {
  if (request.method === 'DELETE') {
    rmSync(path)
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
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600, highWaterMark: 2 ** 20 })
  pipeline(request, hashed, file, (error) => {
    response.writeHead(error ? 500 : 202, { 'X-Digest': error ? '' : hash.digest('hex') }).end()
  })
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`))
