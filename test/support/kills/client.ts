import { setTimeout as sleep } from 'node:timers/promises'
import { timestamp } from '../../../src/lib/clock.ts'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { uris } from '../../../src/redfish/uris.ts'
import { messageKeys, multipartBody, pushParts } from '../multipart.ts'
import type { Chance } from './chance.ts'
import { idOf, type Ledger, textOf } from './ledger.ts'
import type { Answer, Asked } from './service.ts'
import type { MadeImage, World } from './world.ts'

/** A client of one BMC: it asks one thing after the other, and writes down what it was told. */
export interface Client {
  readonly world: World
  readonly slot: number
  readonly ledger: Ledger
  readonly chance: Chance
}

export type Deed = (client: Client) => Promise<unknown>

export const ask = ({ world, slot }: Client, asked: Asked): Promise<Answer | undefined> =>
  world.ask(slot, asked)

/** Asks for a change of a resource, and writes down what is true of it from then on. */
export async function change(
  client: Client,
  uri: string,
  body: JsonObject,
  password?: string,
): Promise<void> {
  const { ledger } = client
  const before = ledger.fact(uri)
  if (before === undefined) return
  const answer = await ask(client, { method: 'PATCH', url: uri, body })
  if (answer !== undefined && answer.status >= 300) return refused(client, answer, `PATCH ${uri}`)
  const { Password: _, ...shown } = body
  const known = password ?? before.password
  const members = { ...before.members, ...shown }
  ledger.changed(uri, { members, ...(known !== undefined && { password: known }) }, answer !== undefined)
}

export async function remove(client: Client, uri: string): Promise<void> {
  const answer = await ask(client, { method: 'DELETE', url: uri })
  if (answer !== undefined && answer.status >= 300) return refused(client, answer, `DELETE ${uri}`)
  client.ledger.changed(uri, undefined, answer !== undefined)
}

/** Asks for something new; where it is, only its answer tells. */
export async function make(
  client: Client,
  collection: string,
  asked: Asked,
  members: JsonObject,
): Promise<void> {
  const { ledger, world, slot } = client
  // Certificates take the lowest number that is free: where one was, another may be.
  const isFreed = collection === uris.trustAnchors
  const answer = await ask(client, { method: 'POST', ...asked, url: collection })
  if (answer === undefined) {
    const freed = [...ledger.facts.keys()].filter((uri) => isFreed && uri.startsWith(`${collection}/`))
    for (const uri of freed) ledger.changed(uri, { members }, false)
    return
  }
  if (answer.status !== 201) return refused(client, answer, `POST ${collection}`)
  if (!isFreed) world.violate(slot, ledger.made(answer.location))
  ledger.changed(answer.location, { members }, true)
}

/** Nothing that clients here ask for is wrong: they come too early, too late, or there is no room. */
export function refused({ world, slot }: Client, { status, json }: Answer, what: string): void {
  if ([403, 404, 409, 503].includes(status)) return
  // What was asked for before, and not answered.
  if (messageKeys(json).includes('ResourceAlreadyExists')) return
  world.violate(slot, [`${what} is answered ${status}: ${JSON.stringify(json)}`])
}

/** A task that was accepted is told of, here and to whoever subscribed before. */
export function accepted(client: Client, answer: Answer | undefined, what: string): void {
  const { world, ledger, slot } = client
  if (answer === undefined) return
  if (answer.status !== 202) return refused(client, answer, what)
  const task = idOf(answer.json)
  world.violate(slot, ledger.made(task))
  wasTold(client, answer)
  for (const subscription of ledger.known(uris.eventDestinations)) {
    const path = new URL(textOf(ledger.fact(subscription)?.members ?? {}, 'Destination')).pathname
    ledger.owed.push({ subscription, path, task })
  }
}

/** What is told of new work is its beginning: a look may have seen more of it. */
export function wasTold({ ledger }: Client, { json }: Answer): void {
  const uri = idOf(json)
  const began = { state: 'New', percent: 0, messages: [], endTime: undefined }
  if (!ledger.works.has(uri)) ledger.works.set(uri, began)
}

export function pushOf({ bytes }: MadeImage, asked: JsonObject): Asked {
  const { headers, body } = multipartBody(pushParts(bytes, asked))
  return { method: 'POST', url: uris.multipartPush, headers, body }
}

export function act(resource: string, name: string, body: JsonObject = {}): Asked {
  return { method: 'POST', url: uris.action(resource, name), body }
}

export function resetOf(resource: string, ResetType = 'ForceRestart'): Asked {
  const name = resource.startsWith(uris.systems) ? 'ComputerSystem.Reset' : 'Manager.Reset'
  return act(resource, name, { ResetType })
}

export function windowAt(at: number, seconds: number): Asked {
  const window = { MaintenanceWindowStartTime: timestamp(at), MaintenanceWindowDurationInSeconds: seconds }
  return { method: 'PATCH', url: uris.updateService, body: { '@Redfish.MaintenanceWindow': window } }
}

/** Does one thing after the other for as long as the service lives. */
export async function live(client: Client, deeds: readonly Deed[], isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await client.chance.of(deeds)?.(client)
    // Somebody who is answered nothing, because the manager boots, asks again a little later.
    await sleep(client.chance.below(10))
  }
}
