import type { ImageBuilder } from './builder.ts'
import { bundleBuilder } from './bundle.ts'
import { capsuleBuilder } from './capsule.ts'
import { openbmcBuilder } from './openbmc.ts'
import { pldmBuilder } from './pldm.ts'

/** What images can be made of, by the names that people use. */
export const imageBuilders = {
  bundle: bundleBuilder,
  pldm: pldmBuilder,
  capsule: capsuleBuilder,
  openbmc: openbmcBuilder,
} as const satisfies Readonly<Record<string, ImageBuilder>>

export type BuilderName = keyof typeof imageBuilders
