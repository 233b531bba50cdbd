import { buffer } from 'node:stream/consumers'
import type { ImageBuilder, ImageOrder } from '../../src/image/build/builder.ts'
import { bundleBuilder } from '../../src/image/build/bundle.ts'
import { componentOrders } from '../../src/cli/image-order.ts'
import { signCms } from '../../src/image/trust/sign.ts'
import type { Party } from './pki.ts'

/** Signs what a builder gives it, in the name of the first of these; the others lead to an anchor. */
export function signAs(signer: Party, ...chain: readonly Party[]): NonNullable<ImageOrder['sign']> {
  const certificates = [signer, ...chain].map(({ certificate }) => certificate)
  return (content) => {
    const signed = 'sha256' in content ? { hash: 'sha256' as const, digest: content.sha256 } : content
    return Promise.resolve(signCms({ signed, key: signer.key, certificates, signingTime: 0 }))
  }
}

/** An image for components of `rackmount`, in memory. */
export function imageOf(
  versions: Readonly<Record<string, string>>,
  more: Partial<ImageOrder> = {},
  builder: ImageBuilder = bundleBuilder,
): Promise<Buffer> {
  const wanted = Object.entries(versions).map(([name, version]) => ({ name, version }))
  return buffer(builder.build({ components: componentOrders(wanted, 4_096, 'rackmount'), ...more }))
}
