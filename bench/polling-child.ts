import { once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

const CONNECTIONS = 4
const PAUSE_MS = 5
/** For the compilers. */
const WARM_UP = 20

/** Polls the URL named first, with the token named second, until its input ends; then prints the p99 in ms. */
const [url = '', token = ''] = process.argv.slice(2)
const times: number[] = []
process.stdin.resume()
await Promise.all(Array.from({ length: CONNECTIONS }, poll))
const sorted = times.toSorted((a, b) => a - b)
process.stdout.write(String(sorted[Math.floor(0.99 * (sorted.length - 1))] ?? Number.NaN))

async function poll(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let turn = 0; !process.stdin.readableEnded; turn++) {
    const started = performance.now()
    const asking = request(url, { agent, headers: { 'X-Auth-Token': token } }).end()
    const [answer] = (await once(asking, 'response')) as [IncomingMessage]
    await buffer(answer)
    if (answer.statusCode !== 200) throw new Error(`${url} answers ${answer.statusCode}`)
    if (turn >= WARM_UP) times.push(performance.now() - started)
    await sleep(PAUSE_MS)
  }
  agent.destroy()
}
