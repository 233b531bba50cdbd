import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { machineNames } from '../../src/bmc/mockup-folder.ts'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { addAccount, logIn } from '../support/accounts.ts'
import { imageFor } from '../support/banks.ts'
import { startEmulator, type TestEmulator } from '../support/emulator.ts'
import { RECEIVER, recordingSink } from '../support/events.ts'
import { giveIdentity } from '../support/identity.ts'
import { bundleOf } from '../support/images.ts'
import { addJobWithStep } from '../support/jobs.ts'
import { push } from '../support/multipart.ts'
import { isProof } from '../support/sample.ts'
import { validateBody } from '../support/schemas.ts'
import { type Visited, walk } from '../support/walk.ts'

const methods = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT', 'DELETE'] as const
type Method = (typeof methods)[number]
type Sets = readonly (readonly string[])[]
type OperationMap = Partial<Record<string, Sets>>

interface Entity {
  readonly map: number
  readonly below?: readonly { readonly targets: readonly string[]; readonly map: number }[]
}

/** The registry, as it was published. */
const registry = JSON.parse(readFileSync('schemas/privileges.json', 'utf8')) as {
  readonly maps: readonly OperationMap[]
  readonly entities: Readonly<Record<string, Entity>>
}

/** A type of our own has the privileges of the one that it belongs to. */
const entities: Readonly<Record<string, Entity | undefined>> = {
  ...registry.entities,
  RedflashSoftwareHistory: registry.entities['SoftwareInventory'],
}

const orOwn: Sets = [['ConfigureManager'], ['ConfigureSelf']]

/** Where redflash departs from it: docs/decisions/0010 and 0011. */
const departures: Readonly<Record<string, OperationMap>> = {
  SessionCollection: { POST: [['NoAuth']] },
  Task: { DELETE: orOwn },
  Job: { PATCH: orOwn, POST: orOwn, DELETE: orOwn },
  ManagerAccount: {
    HEAD: [['ConfigureManager'], ['ConfigureUsers'], ['ConfigureSelf']],
    POST: [['ConfigureUsers'], ['ConfigureSelf']],
    // By PropertyOverrides, for Password; that it is for nothing else is another test's.
    PATCH: [['ConfigureUsers'], ['ConfigureSelf']],
  },
}

/** What is no resource, by the end of its path; what is not listed asks for Login. */
const endpoints: readonly (readonly [RegExp, OperationMap])[] = [
  [
    /^\/redfish$|\/(odata|\$metadata)$|\/OemSchemas\//,
    Object.fromEntries(methods.map((one) => [one, [['NoAuth']]])),
  ],
  [/\/update(-multipart)?$/, { POST: [['ConfigureComponents']] }],
  [/\/TaskMonitors\/:id$/, { DELETE: [['ConfigureManager'], ['ConfigureSelf']] }],
]

const privilegesOf: Readonly<Record<string, readonly string[]>> = {
  admin: ['Login', 'ConfigureManager', 'ConfigureUsers', 'ConfigureSelf', 'ConfigureComponents'],
  operator: ['Login', 'ConfigureSelf', 'ConfigureComponents'],
  readonly: ['Login', 'ConfigureSelf'],
  reader: ['Login'],
}
const senders = [...Object.keys(privilegesOf), null]

interface Path {
  readonly uri: string
  readonly needs: (method: Method) => Sets
  readonly owner?: string | undefined
}

/** Each user has something of its own. */
async function startPeopled(machine: string): Promise<TestEmulator> {
  const emulator = await startEmulator({ machine, eventSink: recordingSink().sink })
  await addAccount(emulator, 'operator', { RoleId: 'Operator' })
  await addAccount(emulator, 'readonly', { RoleId: 'ReadOnly' })
  for (const user of Object.keys(privilegesOf)) await logIn(emulator, user)
  await giveIdentity(emulator)
  // Two devices: a task with sub-tasks.
  const components = [...emulator.bmc.machine.components.values()]
    .filter(({ behaviour }) => behaviour.onlyWhenNamed !== true)
    .slice(0, 2)
  const image = await bundleOf(Object.fromEntries(components.map(({ id }) => [id, '99.0.0'])))
  for (const user of ['admin', 'operator']) {
    const body = { Destination: RECEIVER, Protocol: 'Redfish' }
    await emulator.send(uris.eventDestinations, { method: 'POST', user, body })
    await push(emulator, image, { LocalImage: true }, { user })
    await emulator.clock.advance(600_000)
  }
  const all = [...emulator.bmc.machine.components.values()]
  const staging = all.find(({ behaviour }) => behaviour.spare)
  await push(emulator, await imageFor(emulator, { [staging?.id ?? '']: '99.1.0' }), { Stage: true })
  await emulator.clock.advance(600_000)
  addJobWithStep(emulator, 'operator')
  return emulator
}

async function pathsOf(emulator: TestEmulator): Promise<Path[]> {
  const { visited } = await walk(emulator)
  const { subscriptions, tasks, jobs } = emulator.bmc.state
  const ownerOf = ({ uri, body }: Visited): string | undefined => {
    const id = uri.split('/').at(-1) ?? ''
    switch (typeOf(body)) {
      case 'ManagerAccount':
      case 'Session':
        return text(body['UserName'])
      case 'EventDestination':
        return subscriptions.get(id)?.owner
      case 'Task':
        return tasks.get(uri.split('/')[5] ?? '')?.actor?.username
      case 'Job':
        return jobs.get(uri.split('/')[5] ?? '')?.actor?.username
      default:
        return undefined
    }
  }
  const resources = [...visited.values()].flatMap((one): Path[] => {
    const ancestors = one.uri
      .split('/')
      .slice(0, -1)
      .map((_, index, all) => visited.get(all.slice(0, index + 1).join('/'))?.body)
      .flatMap((body) => (body === undefined ? [] : [typeOf(body)]))
    const needs = (method: Method): Sets => needed(typeOf(one.body), ancestors, method)
    const path = { needs, owner: ownerOf(one) }
    const { Oem: own = {}, ...standard } = (one.body['Actions'] ?? {}) as JsonObject
    const actions = Object.values({ ...standard, ...(own as JsonObject) }).flatMap((action) => {
      const target = (action as JsonObject)['target']
      return typeof target === 'string' ? [{ ...path, uri: target }] : []
    })
    const isCollection = emulator.app.rows.some(
      ({ path: row, post }) => row === one.uri && post !== undefined,
    )
    return [
      { ...path, uri: one.uri === uris.root ? `${uris.root}/` : one.uri },
      ...actions,
      ...(isCollection ? [{ ...path, uri: `${one.uri}/Members` }] : []),
    ]
  })
  const others = emulator.app.endpoints.map(({ path }): Path => {
    const own = endpoints.find(([pattern]) => pattern.test(path))?.[1] ?? {}
    // The second task is the operator's.
    return {
      uri: path.replace(/:\w+/g, '2'),
      owner: path.includes(':') ? 'operator' : undefined,
      needs: (method) => own[method] ?? [['Login']],
    }
  })
  return [...resources, ...others]
}

function typeOf(body: JsonObject): string {
  return text(body['@odata.type']).split('.').at(-1) ?? ''
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** DSP0266, privilege registries: an override holds where its targets are above the resource, in this order. */
function needed(type: string, ancestors: readonly string[], method: Method): Sets {
  const own = departures[type]?.[method]
  if (own !== undefined) return own
  const entity = entities[type]
  if (entity === undefined)
    return method === 'GET' || method === 'HEAD' ? [['Login']] : [['ConfigureManager']]
  const override = entity.below?.find(({ targets }) => {
    let from = 0
    return targets.every((target) => (from = ancestors.indexOf(target, from) + 1) > 0)
  })
  const overridden = override && registry.maps[override.map]?.[method]
  return overridden ?? registry.maps[entity.map]?.[method] ?? []
}

function expected(sets: Sets, sender: string | null, owner: string | undefined): 'allowed' | 401 | 403 {
  if (sets.some((set) => set.includes('NoAuth'))) return 'allowed'
  if (sender === null) return 401
  const has = (one: string): boolean =>
    (privilegesOf[sender] ?? []).includes(one) &&
    (one !== 'ConfigureSelf' || owner === undefined || owner === sender)
  return sets.some((set) => set.every(has)) ? 'allowed' : 403
}

/** Of those machines whose resources are of the same types, one; all before an issue is resolved. */
const machines = machineNames.filter((name) => isProof || name !== 'bladed')

describe.each(machines)('on %s', (machine) => {
  test('every role may use every method of every path as the registry says', async () => {
    const emulator = await startPeopled(machine)
    const paths = await pathsOf(emulator)
    const wrong: string[] = []
    const seen = { allowed: 0, 401: 0, 403: 0 }
    for (const { uri, needs, owner } of paths) {
      for (const method of methods) {
        for (const sender of senders) {
          const wanted = expected(needs(method), sender, owner)
          // An unknown protocol version is refused right after the privileges: whoever has them changes nothing.
          const headers = { 'odata-version': '3.0' }
          const { status } = await emulator.send(uri, { method, user: sender, headers })
          seen[wanted]++
          if (status !== (wanted === 'allowed' ? 412 : wanted))
            wrong.push(`${method} ${uri} by ${sender ?? 'nobody'}: ${status} instead of ${wanted}`)
        }
      }
    }
    expect(wrong).toEqual([])
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(500)
  }, 120_000)
})

test('every row and every endpoint is among these paths', async () => {
  const emulator = await startPeopled('rackmount')
  const paths = await pathsOf(emulator)
  const { rows, endpoints: mounted } = emulator.app
  const missing = [...rows, ...mounted].filter(({ path }) => !paths.some(({ uri }) => fits(path, uri)))
  expect(missing.map(({ path }) => path)).toEqual([])
  const actions = rows.flatMap((row) => Object.keys(row.actions ?? {}))
  const offered = paths.map(({ uri }) => uri.split('/Actions/')[1])
  expect(actions.filter((name) => !offered.includes(name))).toEqual([])
})

test('the registry that is served is the one that is enforced', async () => {
  const { send } = await startEmulator()
  const { json } = await send(uris.privilegeMap)
  expect(validateBody(json)).toEqual([])
  const mappings = json['Mappings'] as readonly { Entity: string; OperationMap: OperationMap }[]
  expect(mappings.map(({ Entity }) => Entity)).toEqual(Object.keys(entities))
  for (const { Entity, OperationMap } of mappings) {
    for (const method of methods) {
      // A PATCH of an account is told by its PropertyOverrides.
      const isByProperty = Entity === 'ManagerAccount' && method === 'PATCH'
      const told = (OperationMap[method] as unknown as readonly { Privilege: string[] }[] | undefined) ?? []
      const sets = told.map(({ Privilege }) => Privilege)
      expect({ Entity, method, sets }).toEqual({
        Entity,
        method,
        sets: isByProperty ? [['ConfigureUsers']] : needed(Entity, [], method),
      })
    }
  }
})

function fits(path: string, uri: string): boolean {
  const [wanted, given] = [path.split('/'), uri.replace(/(.)\/$/, '$1').split('/')]
  if (wanted.length !== given.length && wanted.at(-1) !== '*') return false
  return wanted.every((segment, index) => /^[:*]/.test(segment) || segment === given[index])
}
