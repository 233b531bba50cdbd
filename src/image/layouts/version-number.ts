import type { ComponentFacts } from '../../bmc/machine.ts'

type CapsuleIdentity = NonNullable<NonNullable<ComponentFacts['behaviour']['identity']>['capsule']>

/** How a vendor writes the 32 bits that UEFI has for a version; the names are those of the Linux Vendor Firmware Service. */
export type VersionFormat = NonNullable<CapsuleIdentity['versionFormat']>

/** How many bits each of its numbers has. */
const widths: Readonly<Record<VersionFormat, readonly number[]>> = {
  quad: [8, 8, 8, 8],
  triplet: [8, 8, 16],
  pair: [16, 16],
  plain: [32],
}

/** 0x01020304 as a quad is 1.2.3.4. */
export function versionText(value: number, format: VersionFormat = 'quad'): string {
  let left = value
  const numbers = widths[format].toReversed().map((bits) => {
    const number = left % 2 ** bits
    left = (left - number) / 2 ** bits
    return number
  })
  return numbers.toReversed().join('.')
}

/** The 32 bits of a version, where they can hold it; the numbers that it leaves out are 0. */
export function versionNumber(text: string, format: VersionFormat = 'quad'): number | undefined {
  if (!/^\d{1,10}(\.\d{1,10}){0,3}$/.test(text)) return undefined
  const numbers = text.split('.').map(Number)
  const bits = widths[format]
  const fits = numbers.length <= bits.length && numbers.every((one, index) => one < 2 ** (bits[index] ?? 0))
  return fits
    ? bits.reduce((value, width, index) => value * 2 ** width + (numbers[index] ?? 0), 0)
    : undefined
}
