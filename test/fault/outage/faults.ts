import { ANY, hang, status } from '../../support/stub-server.js';
import type { Fault } from './outage.js';

export const hangs: Fault = {
  begin: ({ stub }) => void stub.always(ANY, hang()),
  end: ({ stub }) => void stub.behave(),
};

export const answersUnavailable: Fault = {
  begin: ({ stub }) => void stub.always(ANY, status(14, 'away')),
  end: ({ stub }) => void stub.behave(),
};

export const refuses: Fault = {
  begin({ proxy }) {
    proxy.refuse();
    proxy.reset();
  },
  end: ({ proxy }) => proxy.accept(),
};

export const swallows: Fault = {
  begin({ proxy }) {
    proxy.blackholeNew();
    proxy.pause();
  },
  end: ({ proxy }) => proxy.resume(),
};

/** Longer than calls and questions have. */
export const isSlow: Fault = {
  begin({ stub }) {
    stub.delayMs = 3_000;
  },
  end({ stub }) {
    stub.delayMs = 0;
  },
};
