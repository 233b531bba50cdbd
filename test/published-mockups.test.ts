import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Row } from '../src/bmc/bmc.ts'
import { isObject, type Json, type JsonObject, linkUris } from '../src/redfish/resource.ts'
import { uris } from '../src/redfish/uris.ts'
import { startEmulator } from './support/emulator.ts'
import { pushVersions } from './support/versions.ts'
import { dangling, walk } from './support/walk.ts'

const published = resolve(import.meta.dirname, '../../shared/dmtf/mockups')
const isPublishedHere = existsSync(published)
const names = ['public-bladed', 'public-rackmount1']
/** The machine's own, whatever rows we have for parts of it. */
const theirCollections: readonly string[] = [
  uris.root,
  uris.systems,
  uris.chassis,
  uris.managers,
  uris.componentIntegrities,
]

describe.skipIf(!isPublishedHere)('a mockup that DMTF publishes (skipped where it is absent)', () => {
  test.each(names)('%s is served as it is, without its copyright, beside our services', async (name) => {
    const folder = join(published, name)
    const { app, bmc, get, send } = await startEmulator({ machine: folder })
    const theirs = readMockup(folder)
    const ours = serviceUris(app.rows)
    expect(ours).toEqual(expect.arrayContaining([uris.updateService, uris.taskService, uris.sessionService]))
    const { manager } = bmc.machine
    const taken = [...ours, uris.odata, uris.logServices(manager), `${manager}/NetworkProtocol`]
    const others = [...theirs].filter(
      ([uri]) => !taken.some((one) => uri === one || uri.startsWith(`${one}/`)),
    )
    expect(others.length).toBeGreaterThan(50)
    for (const [uri, body] of others) {
      if (uri === uris.root) continue
      const { headers, text, json } = await send(uri)
      // Our logs and the network protocols are the additions, on the manager that serves Redfish.
      const added = {
        LogServices: { '@odata.id': uris.logServices(uri) },
        NetworkProtocol: { '@odata.id': uris.networkProtocol(uri) },
      }
      const own = { '@odata.etag': headers['etag'], ...(uri === manager && added) }
      expect(json).toEqual({ ...(withoutCopyright(body) as JsonObject), ...own })
      // A member that is there twice would be hidden by the parser.
      expect(text.split('"@odata.etag"')).toHaveLength(2)
    }
    expect(await get(uris.updateService)).toMatchObject({ MultipartHttpPushUri: uris.multipartPush })
    const root = await get(`${uris.root}/`)
    expect(root).toMatchObject({ UUID: theirs.get(uris.root)?.['UUID'], RedfishVersion: '1.23.0' })
    expect(JSON.stringify(root)).not.toContain('Copyright')
    const fromTheirServices = [...theirs.keys()].filter((uri) =>
      ours.some((one) => uri.startsWith(`${one}/`)),
    )
    const fromOurs: string[] = []
    for (const uri of fromTheirServices) {
      // What our services do not provide is not there, rather than theirs with nothing behind it.
      const { status } = await send(uri)
      if (status === 200) fromOurs.push(uri)
    }
    expect(fromOurs.filter((uri) => bmc.machine.resources.has(uri))).toEqual([])
    expect(fromOurs).toContain(uris.sessions)
  })

  test.each(names)(
    '%s has our services, log and registries within reach, by links that lead somewhere',
    async (name) => {
      const emulator = await startEmulator({ machine: join(published, name) })
      const found = await walk(emulator)
      const ours = serviceUris(emulator.app.rows)
      const ofOurs = [...found.visited.keys()].filter(
        (uri) => ours.some((one) => uri.startsWith(one)) || uri.includes('/LogServices/Log'),
      )
      expect(ofOurs).toEqual(
        expect.arrayContaining([
          uris.firmwareInventory,
          uris.tasks,
          uris.sessions,
          uris.registry('Base.1.22'),
        ]),
      )
      const fromOurs = dangling(found).filter((line) => ofOurs.some((uri) => line.startsWith(`${uri}#`)))
      expect(fromOurs).toEqual([])
    },
  )

  test('what it lists as firmware becomes updatable, and the version follows where it is shown', async () => {
    const emulator = await startEmulator({ machine: join(published, 'public-rackmount1') })
    const { bmc, clock, get } = emulator
    const [system = ''] = linkUris((await get(uris.systems))['Members'])
    const { BiosVersion } = await get(system)
    expect(await get(bmc.machine.manager)).toMatchObject({ FirmwareVersion: '1.45.455b66-rev4' })

    await pushVersions(emulator, { BIOS: 'P79 v1.50', BMC: '1.46.0' })
    await clock.advance(600_000)
    expect(await get(uris.task('1'))).toMatchObject({ TaskState: 'Completed', TaskStatus: 'OK' })
    expect(await get(uris.firmware('BIOS'))).toMatchObject({
      Version: 'P79 v1.50',
      Status: { State: 'Enabled', Health: 'OK' },
    })
    // The system calls its BIOS something else than the inventory does: nobody can say what it would call the new one.
    expect(BiosVersion).toBe('P79 v1.45 (12/06/2017)')
    expect(await get(system)).toMatchObject({ BiosVersion })
    expect(await get(bmc.machine.manager)).toMatchObject({ FirmwareVersion: '1.46.0' })
    expect(await get(uris.firmware('SS'))).toMatchObject({ Version: '2.50' })
  })
})

/** The services whose rows take over from whatever a mockup has there. */
function serviceUris(rows: readonly Row[]): string[] {
  const services = rows.map(({ path }) => path.split('/').slice(0, 4).join('/'))
  return [...new Set(services)].filter((uri) => !theirCollections.includes(uri) && !uri.endsWith('*'))
}

/** Every resource of a mockup as it is published, by its URI. */
function readMockup(folder: string): ReadonlyMap<string, JsonObject> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /(^|\/)index\.json$/.test(name),
  )
  return new Map(
    files.map((name) => {
      const path = [uris.root, ...name.split('/').slice(0, -1)].join('/')
      return [path, JSON.parse(readFileSync(join(folder, name), 'utf8')) as JsonObject] as const
    }),
  )
}

/** What belongs to the file is gone; an ETag is that of our answer. */
function withoutCopyright(value: Json | undefined): Json {
  if (Array.isArray(value)) return value.map((item: Json) => withoutCopyright(item))
  if (!isObject(value)) return value ?? null
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) =>
      name === '@Redfish.Copyright' || name === '@odata.etag'
        ? []
        : [[name, withoutCopyright(member)] as const],
    ),
  )
}
