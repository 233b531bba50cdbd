import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/redfish/resource.ts'
import { uris } from '../../src/redfish/uris.ts'
import { addAccount, audit, logIn } from '../support/accounts.ts'
import { basic, PASSWORD, startEmulator, type TestEmulator } from '../support/emulator.ts'
import { messageKeys } from '../support/multipart.ts'

const reader = uris.account('reader')

/** An emulator that locks an account after three failures for a minute, and forgets them after half of it. */
async function startStrict(members: JsonObject = {}) {
  const emulator = await startEmulator()
  const body = {
    AccountLockoutThreshold: 3,
    AccountLockoutDuration: 60,
    AccountLockoutCounterResetAfter: 30,
    ...members,
  }
  const { status } = await emulator.send(uris.accountService, { method: 'PATCH', body })
  if (status !== 200) throw new Error(`not configured: ${status}`)
  return emulator
}

async function fail(emulator: TestEmulator, times: number, user = 'reader'): Promise<void> {
  for (let count = 0; count < times; count++) {
    const { status } = await emulator.send(uris.updateService, {
      headers: { authorization: basic(user, 'wrong') },
    })
    expect(status).toBe(401)
  }
}

const opens = async ({ send }: TestEmulator, user = 'reader'): Promise<boolean> =>
  (await send(uris.updateService, { user })).status === 200

const isLocked = async ({ get }: TestEmulator, uri = reader): Promise<unknown> => (await get(uri))['Locked']

describe('wrong passwords', () => {
  test('lock an account when there are as many as the threshold, and one fewer do not', async () => {
    const emulator = await startStrict()
    await fail(emulator, 2)
    expect(await isLocked(emulator)).toBe(false)
    expect(await opens(emulator)).toBe(true)
    await fail(emulator, 3)
    expect(await isLocked(emulator)).toBe(true)
    expect(await opens(emulator)).toBe(false)
    expect((await logIn(emulator, 'reader')).status).toBe(401)
    expect(await opens(emulator, 'admin')).toBe(true)
  })

  test('count whether they come as Basic or as a login', async () => {
    const emulator = await startStrict()
    await fail(emulator, 2)
    await logIn(emulator, 'reader', { Password: 'wrong' })
    expect(await isLocked(emulator)).toBe(true)
  })

  test('count when they come all at once', async () => {
    const emulator = await startStrict()
    const tries = Array.from({ length: 6 }, (_, index) =>
      logIn(emulator, 'reader', { Password: `wrong ${index}` }),
    )
    // A right one among them that is judged after the lock comes too late.
    const answers = await Promise.all([...tries, logIn(emulator, 'reader', { Password: PASSWORD })])
    expect(answers.slice(0, 6).map(({ status }) => status)).toEqual(Array(6).fill(401))
    expect(await isLocked(emulator)).toBe(true)
  })

  test('are forgotten by a login', async () => {
    const emulator = await startStrict()
    await fail(emulator, 2)
    await logIn(emulator, 'reader')
    await fail(emulator, 2)
    expect(await isLocked(emulator)).toBe(false)
  })

  test.each([
    [29_999, true],
    [30_000, false],
  ])('that end %i ms before another count with it: %j', async (pauseMs, locked) => {
    const emulator = await startStrict()
    await fail(emulator, 2)
    await emulator.clock.advance(pauseMs)
    await fail(emulator, 1)
    expect(await isLocked(emulator)).toBe(locked)
  })

  test.each([
    ['a threshold', { AccountLockoutThreshold: 0 }],
    ['a duration', { AccountLockoutDuration: 0 }],
  ])('lock nobody out where %s is 0', async (_what, members) => {
    const emulator = await startStrict(members)
    await fail(emulator, 12)
    expect(await opens(emulator)).toBe(true)
  })

  test('of nobody known lock nobody', async () => {
    const emulator = await startStrict()
    await fail(emulator, 4, 'nobody')
    expect(await opens(emulator, 'reader')).toBe(true)
  })
})

describe('a lock', () => {
  test('holds until just before its duration has passed, and not longer', async () => {
    const emulator = await startStrict()
    await fail(emulator, 3)
    await emulator.clock.advance(59_999)
    expect(await opens(emulator)).toBe(false)
    await emulator.clock.advance(1)
    expect(await opens(emulator)).toBe(true)
    expect(await isLocked(emulator)).toBe(false)
  })

  test('leaves sessions that are open alone', async () => {
    const emulator = await startStrict()
    const { as } = await logIn(emulator, 'reader')
    await fail(emulator, 3)
    expect((await emulator.send(uris.updateService, as)).status).toBe(200)
  })

  test('is ended by an administrator, whose next one lasts as long as the first', async () => {
    const emulator = await startStrict()
    await fail(emulator, 3)
    await emulator.clock.advance(10_000)
    const body = { Locked: false }
    expect((await emulator.send(reader, { method: 'PATCH', body })).json).toMatchObject({ Locked: false })
    expect(await opens(emulator)).toBe(true)
    await fail(emulator, 3)
    await emulator.clock.advance(59_999)
    expect(await opens(emulator)).toBe(false)
    await emulator.clock.advance(1)
    expect(await opens(emulator)).toBe(true)
  })

  test('is nothing that a client can make', async () => {
    const emulator = await startStrict()
    const { status } = await emulator.send(reader, { method: 'PATCH', body: { Locked: true } })
    expect(status).toBe(400)
    expect(await isLocked(emulator)).toBe(false)
  })

  test('without a reset lasts until an administrator ends it, as do the failures before it', async () => {
    const emulator = await startStrict({ AccountLockoutCounterResetEnabled: false })
    await fail(emulator, 2)
    await emulator.clock.advance(86_400_000)
    await fail(emulator, 1)
    await emulator.clock.advance(86_400_000)
    expect(await opens(emulator)).toBe(false)
    await emulator.send(reader, { method: 'PATCH', body: { Locked: false } })
    expect(await opens(emulator)).toBe(true)
  })

  test('on the last administrator ends in any case', async () => {
    const emulator = await startStrict({ AccountLockoutCounterResetEnabled: false })
    const second = await addAccount(emulator, 'second', { RoleId: 'Administrator' })
    await fail(emulator, 3, 'second')
    await fail(emulator, 3, 'admin')
    await emulator.clock.advance(59_999)
    expect(await opens(emulator, 'admin')).toBe(false)
    await emulator.clock.advance(1)
    expect(await opens(emulator, 'admin')).toBe(true)
    expect(await isLocked(emulator, second)).toBe(true)
  })

  test('is in the audit log, and so is its end', async () => {
    const emulator = await startStrict()
    await fail(emulator, 3)
    await emulator.clock.advance(60_000)
    const said = (await audit(emulator)).filter((one) => one.includes('Lock'))
    expect(said).toEqual([
      'AccountSecurity.AccountLocked reader -',
      'AccountSecurity.AccountLockoutExpired reader -',
    ])
  })
})

test.each<[JsonObject, number]>([
  [{ AccountLockoutCounterResetAfter: 60 }, 200],
  [{ AccountLockoutCounterResetAfter: 61 }, 400],
  [{ AccountLockoutDuration: 29 }, 400],
  [{ AccountLockoutDuration: 29, AccountLockoutCounterResetAfter: 29 }, 200],
  [{ AccountLockoutThreshold: -1 }, 400],
  [{ AccountLockoutThreshold: 1.5 }, 400],
])('lockout settings of %j are answered %i', async (body, status) => {
  const emulator = await startStrict()
  const answer = await emulator.send(uris.accountService, { method: 'PATCH', body })
  expect(answer.status).toBe(status)
  expect(messageKeys(answer.json)).toHaveLength(status === 200 ? 0 : 1)
})
