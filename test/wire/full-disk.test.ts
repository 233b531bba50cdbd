import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { basic } from '../support/emulator.ts'
import { Chance } from '../support/kills/chance.ts'
import { accepted, type Client, pushOf, windowAt } from '../support/kills/client.ts'
import { end, expectNoImages } from '../support/kills/ending.ts'
import { clientOf } from '../support/kills/lives.ts'
import { judge, look } from '../support/kills/looking.ts'
import { startLife } from '../support/kills/service.ts'
import { createWorld, type World } from '../support/kills/world.ts'
import { messageKeys } from '../support/multipart.ts'

/** Room for what the journal reserves, and for some of what is asked for. */
const SMALL_KIB = 8_192
/** Hardly more than what the journal reserves. */
const TINY_KIB = 5_120
/** Less than a body may have. */
const JSON_BYTES = 900_000
const FILLING_MS = 4_000
const TIMEOUT_MS = 120_000
const NEXT_YEAR = new Date(Date.now() + 365 * 86_400_000).toISOString().replace(/\.\d+/, '')
const someone: JsonObject = { UserName: 'somebody', Password: 'password1', RoleId: 'ReadOnly' }

test(
  'where the disk is full, changes are refused, reads and work go on, and nothing that was answered is lost',
  async () => {
    const { world, client } = await startOn(SMALL_KIB)
    // It begins when there is no room any more.
    await world.ask(0, windowAt(Date.now() + FILLING_MS, 3_600))
    const image = await world.makeImage(['NIC-1', 'PSU-1'])
    const asked = { '@Redfish.OperationApplyTime': 'AtMaintenanceWindowStart', LocalImage: true }
    accepted(client, await world.ask(0, pushOf(image, asked)), 'the push')
    const statuses = new Set<number | undefined>()
    while (!statuses.has(507) && statuses.size < 3) statuses.add(await makeLargeJob(client))
    expect([...statuses]).toEqual([201, 507])

    const refused = await world.ask(0, { method: 'POST', url: uris.accounts, body: someone })
    expect([refused?.status, messageKeys(refused?.json ?? {})]).toEqual([507, ['InsufficientStorage']])
    expect((await world.ask(0, { url: uris.account('somebody') }))?.status).toBe(404)
    const login = await world.ask(0, { url: uris.accounts, authorization: basic('somebody', 'password1') })
    expect(login?.status).toBe(401)
    const version = async () => (await world.ask(0, { url: uris.firmware('NIC-1') }))?.json['Version']
    await expect.poll(version, { timeout: 30_000 }).toBe(image.versions['NIC-1'])
    await look(world, 0, client.ledger)
    expect(await world.life?.kill('SIGTERM')).toMatchObject({ code: 0 })
    await liveOnWithRoom(client)
  },
  TIMEOUT_MS,
)

test(
  'where the disk does not even take what was begun, the service ends and says so, and nothing that was answered is lost',
  async () => {
    const { world, client } = await startOn(TINY_KIB)
    // Each of them finds room when it comes.
    const statuses = await Promise.all(Array.from({ length: 12 }, () => makeLargeJob(client)))
    expect(statuses).toContain(undefined)
    const ended = await world.life?.ended
    expect(ended).toMatchObject({ code: 1, signal: null })
    expect(ended?.said).toContain('takes nothing more')
    await liveOnWithRoom(client)
  },
  TIMEOUT_MS,
)

/** A service no file of which may become larger than this. */
async function startOn(maxFileKiB: number): Promise<{ readonly world: World; readonly client: Client }> {
  const world = await createWorld(1)
  world.life = await startLife(world.folder, { bmcs: 1, maxFileKiB })
  return { world, client: clientOf(world, new Chance(1), 0) }
}

/** A job for another day that takes as much room as a request may. */
async function makeLargeJob({ world, slot, ledger }: Client): Promise<number | undefined> {
  const JsonBody = JSON.stringify({ AssetTag: `${world.count()} ${'x'.repeat(JSON_BYTES)}` })
  const Payload = { HttpOperation: 'PATCH', TargetUri: uris.chassisMember('1'), JsonBody, HttpHeaders: [] }
  const Schedule = { InitialStartTime: NEXT_YEAR }
  const answer = await world.ask(slot, { method: 'POST', url: uris.jobs, body: { Payload, Schedule } })
  if (answer?.status === 201) ledger.changed(answer.location, { members: { JobState: 'Pending' } }, true)
  return answer?.status
}

/** There is room again: all that was answered is there, and everything works. */
async function liveOnWithRoom(client: Client): Promise<void> {
  const { world } = client
  world.life = await startLife(world.folder, { bmcs: 1 })
  expect(world.life.isReady).toBe(true)
  await judge(world, 0)
  expect(world.violations).toEqual([])
  client.ledger.facts.clear()
  await end(client)
  await expectNoImages(world)
  expect(await world.life.kill('SIGTERM')).toMatchObject({ code: 0, said: '' })
  world.expectNothingWrong('with room again')
}
