import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fastify, type FastifyRequest } from 'fastify'
import { onTestFinished, expect, test } from 'vitest'
import { PASS_HEADER, Passes } from '../src/http/passes.ts'
import { uris } from '../src/redfish/uris.ts'
import { startEmulator } from './support/emulator.ts'

const maker = { username: 'admin', address: 'http://127.0.0.1' }

/** Passes, and an app that says who each request stands for. */
async function startGate() {
  const { bmc } = await startEmulator()
  const passes = new Passes()
  const app = fastify()
  onTestFinished(() => app.close())
  const stands: unknown[] = []
  app.get('/', (seen: FastifyRequest, reply) => {
    stands.push(passes.redeem(seen)?.maker.username)
    return reply.send()
  })
  await app.ready()
  const issue = (): string => passes.issue({ bmc, maker })
  return { app, stands, issue }
}

test('a pass is good for one request from inside the process', async () => {
  const { app, stands, issue } = await startGate()
  const headers = { [PASS_HEADER]: issue() }
  await app.inject({ url: '/', headers })
  await app.inject({ url: '/', headers })
  await app.inject({ url: '/', headers: { [PASS_HEADER]: 'constructor' } })
  expect(stands).toEqual(['admin', undefined, undefined])
})

test('a pass that was stolen opens nothing over a socket', async () => {
  const { app, stands, issue } = await startGate()
  const server = createServer((incoming, response) => app.routing(incoming, response)).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const headers = { [PASS_HEADER]: issue() }
  const sent = request({ port, host: '127.0.0.1', headers, agent: false }).end()
  const [answer] = (await once(sent, 'response')) as [NodeJS.ReadableStream]
  answer.resume()
  expect(stands).toEqual([undefined])
})

test('whoever makes one up is nobody', async () => {
  const { send } = await startEmulator()
  const headers = { [PASS_HEADER]: 'a'.repeat(64) }
  expect(await send(uris.updateService, { user: null, headers })).toMatchObject({ status: 401 })
})
