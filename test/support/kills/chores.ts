import type { JsonObject } from '../../../src/redfish/resource.ts'
import { uris } from '../../../src/redfish/uris.ts'
import { ask, change, type Deed, make, refused, remove, wasTold } from './client.ts'

const NEXT_YEAR = new Date(Date.now() + 365 * 86_400_000).toISOString().replace(/\.\d+/, '')

/** What an administrator does. */
export const chores: readonly Deed[] = [
  async function createAccount(client) {
    const { ledger, world, slot } = client
    const [name, password] = [`user${world.count()}`, `password${world.count()}`]
    const uri = uris.account(name)
    const members = { RoleId: 'ReadOnly', Enabled: true }
    ledger.asked.add(name)
    const body = { UserName: name, Password: password, ...members }
    const answer = await ask(client, { method: 'POST', url: uris.accounts, body })
    if (answer !== undefined && answer.status !== 201) return refused(client, answer, 'POST Accounts')
    if (answer !== undefined) world.violate(slot, ledger.made(answer.location))
    ledger.changed(uri, { members, password }, answer !== undefined)
  },
  async function changePassword(client) {
    const uri = client.chance.of(client.ledger.known(uris.accounts))
    const password = `password${client.world.count()}`
    if (uri !== undefined) await change(client, uri, { Password: password }, password)
  },
  async function changeRole(client) {
    const uri = client.chance.of(client.ledger.known(uris.accounts))
    if (uri !== undefined) await change(client, uri, { RoleId: client.chance.of(['Operator', 'ReadOnly']) })
  },
  async function deleteAccount(client) {
    const uri = client.chance.of(client.ledger.known(uris.accounts))
    if (uri !== undefined) await remove(client, uri)
  },
  async function subscribe(client) {
    const { ledger, world } = client
    if (ledger.known(uris.eventDestinations).length > 3) return
    const Context = `subscription${world.count()}`
    const Destination = `${world.origin}/${Context}`
    ledger.asked.add(Context)
    const how = { Protocol: 'Redfish', DeliveryRetryPolicy: 'RetryForever', IncludeOriginOfCondition: true }
    const body = { Context, Destination, ...how }
    await make(client, uris.eventDestinations, { url: '', body }, { Context, Destination })
  },
  async function renameSubscription(client) {
    const { ledger, world, chance } = client
    const uri = chance.of(ledger.known(uris.eventDestinations))
    const Context = `subscription${world.count()}`
    ledger.asked.add(Context)
    if (uri !== undefined) await change(client, uri, { Context })
  },
  async function unsubscribe(client) {
    const uri = client.chance.of(client.ledger.known(uris.eventDestinations))
    if (uri !== undefined && client.chance.is(0.3)) await remove(client, uri)
  },
  async function patchSettings(client) {
    const { ledger, world, chance } = client
    const number = world.count()
    const [uri, members] = chance.of<[string, JsonObject]>([
      [uris.system('1'), { AssetTag: `tag ${number}` }],
      [uris.sessionService, { SessionTimeout: 600 + (number % 1_000) }],
      [uris.eventService, { DeliveryRetryAttempts: number % 100 }],
      [uris.taskService, { TaskAutoDeleteTimeoutMinutes: 10_000 + number }],
    ])
    if (!ledger.facts.has(uri)) ledger.facts.set(uri, [{ members: {} }])
    await change(client, uri, members)
  },
  async function trustAnchor(client) {
    const { ledger, world, chance } = client
    const [uri] = ledger.known(uris.trustAnchors)
    if (uri !== undefined) return chance.is(0.5) ? remove(client, uri) : undefined
    ledger.asked.add(world.anchor.trim())
    const body = { CertificateString: world.anchor, CertificateType: 'PEM' }
    await make(client, uris.trustAnchors, { url: '', body }, { CertificateType: 'PEM' })
  },
  async function makeJob(client) {
    const { world, chance, ledger, slot } = client
    const JsonBody = JSON.stringify({ AssetTag: `by job ${world.count()}` })
    const Payload = { HttpOperation: 'PATCH', TargetUri: uris.chassisMember('1'), JsonBody }
    const later = chance.is(0.3) ? { Schedule: { InitialStartTime: NEXT_YEAR } } : {}
    const answer = await ask(client, { method: 'POST', url: uris.jobs, body: { Payload, ...later } })
    if (answer?.status === 201) wasTold(client, answer)
    else if (answer !== undefined) refused(client, answer, 'POST Jobs')
    if (answer?.status === 201) world.violate(slot, ledger.made(answer.location))
  },
  async function deleteWork(client) {
    const { ledger, chance } = client
    const uri = chance.of([...ledger.works.keys()].filter((one) => /\/(Jobs|Tasks)\/\d+$/.test(one)))
    if (uri === undefined) return
    ledger.mayBeGone.add(uri)
    const answer = await ask(client, { method: 'DELETE', url: uri })
    if (answer === undefined) return
    if (answer.status !== 204)
      return refused(client, answer.status === 202 ? { ...answer, status: 409 } : answer, uri)
    ledger.facts.set(uri, [undefined])
    ledger.works.delete(uri)
  },
  async function clearLog(client) {
    const url = uris.action(uris.logService(uris.manager('1')), 'LogService.ClearLog')
    await ask(client, { method: 'POST', url, body: {} })
  },
  async function logIn(client) {
    const body = { UserName: 'admin', Password: 'redflash' }
    const answer = await ask(client, { method: 'POST', url: uris.sessions, body, authorization: '' })
    if (answer?.status === 201) client.ledger.tokens.add(answer.token)
  },
]
