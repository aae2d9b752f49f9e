using System;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>
    /// The operations under way, by the number that the engine returns in each event: slot and sequence number. An event
    /// of an earlier use of a slot finds another sequence number and is dropped.
    /// </summary>
    internal sealed class OperationTable
    {
        private const int FirstSlots = 16;

        private readonly object gate = new object();
        private readonly TurboClient client;
        private Operation[] live = new Operation[FirstSlots];
        private int[] freeSlots = new int[FirstSlots];
        private int freeCount;
        private int usedSlots;
        private Operation[] pool = new Operation[FirstSlots];
        private int pooled;
        private uint sequence;

        internal OperationTable(TurboClient client)
        {
            this.client = client;
        }

        /// <summary>Takes an operation of the pool and a free slot.</summary>
        internal Operation Rent(out ulong user)
        {
            lock (gate)
            {
                int slot = TakeSlot();
                Operation operation = pooled > 0 ? TakePooled() : new Operation(client);
                sequence = sequence == uint.MaxValue ? 1 : sequence + 1;
                user = ((ulong)sequence << 32) | (uint)slot;
                live[slot] = operation;
                return operation;
            }
        }

        /// <summary>The operation of this number, or null. It may have ended since: it checks the number itself.</summary>
        internal Operation Find(ulong user)
        {
            uint slot = (uint)user;
            lock (gate)
            {
                return slot < (uint)usedSlots ? live[slot] : null;
            }
        }

        /// <summary>Frees the slot of this number.</summary>
        internal void Free(ulong user)
        {
            lock (gate)
            {
                int slot = (int)(uint)user;
                if (live[slot] != null)
                {
                    live[slot] = null;
                    freeSlots[freeCount] = slot;
                    freeCount++;
                }
            }
        }

        /// <summary>Returns an operation, which nobody waits for, to the pool.</summary>
        internal void Recycle(Operation operation)
        {
            lock (gate)
            {
                if (pooled < pool.Length)
                {
                    pool[pooled] = operation;
                    pooled++;
                }
            }
        }

        internal Operation[] Live()
        {
            lock (gate)
            {
                int count = 0;
                Operation[] all = new Operation[usedSlots];
                for (int i = 0; i < usedSlots; i++)
                {
                    if (live[i] != null)
                    {
                        all[count] = live[i];
                        count++;
                    }
                }
                Array.Resize(ref all, count);
                return all;
            }
        }

        private int TakeSlot()
        {
            if (freeCount > 0)
            {
                freeCount--;
                return freeSlots[freeCount];
            }
            if (usedSlots == live.Length)
            {
                int size = usedSlots * 2;
                Array.Resize(ref live, size);
                Array.Resize(ref freeSlots, size);
                Array.Resize(ref pool, size);
            }
            usedSlots++;
            return usedSlots - 1;
        }

        private Operation TakePooled()
        {
            pooled--;
            Operation operation = pool[pooled];
            pool[pooled] = null;
            return operation;
        }
    }
}
