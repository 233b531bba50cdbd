import { onTestFinished } from 'vitest'
import { type App, type AppOptions, createApp } from '../../src/app.ts'
import { hasFaults } from '../../src/faults/plan.ts'
import { bmcSettings } from '../../src/fleet/bmc-settings.ts'
import { Fleet } from '../../src/fleet/fleet.ts'
import { makeGroups } from '../../src/fleet/machines.ts'
import { type BmcSettings, type FleetFile, planOf } from '../../src/fleet/plan.ts'
import { createMemorySpool } from '../../src/image/spool/memory-spool.ts'
import { VirtualClock } from '../../src/lib/clock.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { basic, type TestEmulator, type TestRequest } from './emulator.ts'

/** What a service says of its BMCs where nobody says anything; tasks end where they would wait, as in other tests. */
export const settings: BmcSettings = {
  user: bmcSettings.user.default,
  password: bmcSettings.password.default,
  machine: bmcSettings.machine.default,
  profile: '',
  awaitReset: 'completed',
  startUpdate: 'machine',
  devices: '',
  speed: '1',
  trust: '',
  unsignedImages: 'machine',
}

/** One of them, as tests of a single emulator have it. */
export type TestBmc = Pick<TestEmulator, 'bmc' | 'clock' | 'spool' | 'send' | 'get'>

/** A fleet on a virtual clock and a spool in memory, each of its BMCs reached by its name; it closes itself. */
export async function startFleet(given: number | FleetFile, options: Partial<AppOptions> = {}) {
  const clock = new VirtualClock()
  const spool = createMemorySpool()
  const isCount = typeof given === 'number'
  const plan = planOf(settings, { bmcs: isCount ? given : 1, fleet: isCount ? '' : given, seed: 'redflash' })
  const { groups, machines, hashed } = await makeGroups(plan)
  await hashed
  const fleet = new Fleet(groups)
  for (const { name, count } of plan.groups) await fleet.add(name, count)
  const app = createApp({
    clock,
    spool,
    maxImageBytes: 2 ** 30,
    stallMs: 60_000,
    monitorEnding: 'response',
    pageSize: 0,
    resolveBmc: ({ host }) => {
      const found = fleet.find(host)
      if (found === undefined) throw new Error(`there is no BMC called ${host}`)
      return found.bmc
    },
    hasFaults: machines.some(hasFaults),
    updateRules: machines.map(({ updateRules }) => updateRules),
    ...options,
  })
  fleet.onRemoved(({ bmc }) => app.forget(bmc))
  await app.fastify.ready()
  onTestFinished(() => app.fastify.close())
  const at = (id: string): TestBmc => {
    const member = fleet.find(id)
    if (member === undefined) throw new Error(`there is no BMC called ${id}`)
    const send: TestBmc['send'] = (url, request) => sendTo(app, id, url, request)
    return { bmc: member.bmc, clock, spool, send, get: async (url) => (await send(url)).json }
  }
  return { app, fleet, clock, spool, at, ids: () => [...fleet.members()].map(({ bmc }) => bmc.id) }
}

async function sendTo(app: App, id: string, url: string, request: TestRequest = {}) {
  const { method = 'GET', headers = {}, body, user = 'admin' } = request
  const isJson = typeof body === 'object' && !Buffer.isBuffer(body)
  const answer = await app.fastify.inject({
    method,
    url,
    headers: {
      host: id,
      ...(user !== null && { authorization: basic(user) }),
      ...(isJson && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { payload: isJson ? JSON.stringify(body) : body }),
  })
  const isAnswerJson = answer.headers['content-type']?.startsWith('application/json') === true
  const json = isAnswerJson ? answer.json<JsonObject>() : {}
  return { status: answer.statusCode, headers: answer.headers, text: answer.body, json }
}
