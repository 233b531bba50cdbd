import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type CertificateOptions, Certificates } from '../src/http/certificates.ts'
import { createMemoryJournal } from '../src/journal/memory-journal.ts'
import { VirtualClock } from '../src/lib/clock.ts'

const DAY_MS = 86_400_000

/** Runs of a service of a fleet, one after another, each with what the one before kept. */
function runs(given: Partial<CertificateOptions> = {}) {
  const [clock, journal] = [new VirtualClock(), createMemoryJournal()]
  const start = (more: Partial<CertificateOptions> = {}): Certificates => {
    const names = (): string[] => ['localhost']
    const certificates = new Certificates({ clock, journal, names, isFleet: true, ...given, ...more })
    certificates.takeUpOwn(journal.read())
    return certificates
  }
  return { clock, start }
}

const certOf = async (certificates: Certificates): Promise<string> =>
  (await certificates.keyPair(undefined)).cert

describe('certificates that were made', () => {
  test('are the same in the next run, and so is who issued them', async () => {
    const { start } = runs()
    const before = start()
    const cert = await certOf(before)
    const next = start()
    expect(await certOf(next)).toBe(cert)
    expect(await next.authority()).toBe(await before.authority())
  })

  test('are made anew for other names, by the same authority', async () => {
    const { start } = runs()
    const cert = await certOf(start())
    const next = start({ names: () => ['other.example'] })
    const other = new X509Certificate(await certOf(next))
    expect(other.checkHost('other.example')).toBe('other.example')
    expect(other.checkIssued(new X509Certificate((await next.authority()) ?? ''))).toBe(true)
    expect(cert).toContain(await next.authority())
  })

  test.each([
    [364, true],
    [365, false],
  ])('are the same after %i days: %s', async (days, isSame) => {
    const { clock, start } = runs()
    const before = start()
    const [cert, authority] = [await certOf(before), await before.authority()]
    await clock.advance(days * DAY_MS)
    const next = start()
    expect((await certOf(next)) === cert).toBe(isSame)
    expect((await next.authority()) === authority).toBe(isSame)
  })

  test.each([
    ['a certificate', { isFleet: false }],
    ['a certificate of a fleet', { isFleet: true }],
  ])('are tried again after %s could not be made', async (_what, given) => {
    let failures = 1
    const names = (): string[] => {
      if (failures-- > 0) throw new Error('no names yet')
      return ['localhost']
    }
    const certificates = runs(given).start({ names })
    await expect(certOf(certificates)).rejects.toThrow('no names yet')
    expect(new X509Certificate(await certOf(certificates)).checkHost('localhost')).toBe('localhost')
  })

  test('are tried again after their authority could not be made', async () => {
    const { clock, start } = runs()
    let failures = 1
    const broken = Object.create(clock, {
      now: {
        value: () => {
          if (failures-- > 0) throw new Error('no time yet')
          return clock.now()
        },
      },
    }) as VirtualClock
    const certificates = start({ clock: broken })
    await expect(certificates.authority()).rejects.toThrow('no time yet')
    expect(await certOf(certificates)).toContain(await certificates.authority())
  })

  test.each([
    ['one BMC', { isFleet: false }],
    ['a fleet whose certificate is given', { given: { cert: 'given', key: 'given' } }],
  ])('have no authority for %s', async (_what, given) => {
    expect(await runs(given).start().authority()).toBeUndefined()
  })
})
