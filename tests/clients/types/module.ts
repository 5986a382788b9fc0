// The module is what its declaration says.
import type * as Declared from '/tidings.js';
import * as module from '../../../src/http/page/tidings/follow.js';

export const declared: typeof Declared = module;
