using System;
using System.Runtime.InteropServices;
using System.Threading;

namespace TurboHttp.Native
{
    /// <summary>Checks once per domain that the native library is there and has the ABI this assembly was written for.</summary>
    internal static unsafe class NativeLoader
    {
        private static int isChecked;

        /// <exception cref="TurboException">The library is missing, was built for another CPU, or has another ABI.</exception>
        internal static void Check()
        {
            if (Volatile.Read(ref isChecked) != 0)
            {
                return;
            }
            try
            {
                CheckVersion(NativeMethods.th_abi_version());
                CheckSizes();
            }
            catch (DllNotFoundException exception)
            {
                throw Missing("was not found", exception);
            }
            catch (BadImageFormatException exception)
            {
                throw Missing("was built for another CPU", exception);
            }
            catch (EntryPointNotFoundException exception)
            {
                throw Missing("lacks a function", exception);
            }
            Volatile.Write(ref isChecked, 1);
        }

        private static void CheckVersion(uint version)
        {
            if (version >> 16 != NativeMethods.TH_ABI_VERSION >> 16 || version < NativeMethods.TH_ABI_VERSION)
            {
                throw new TurboException(TurboError.Runtime, "The native library turbohttp_ffi has the ABI "
                    + (version >> 16) + "." + (version & 0xFFFF) + ", this package needs "
                    + (NativeMethods.TH_ABI_VERSION >> 16) + "." + (NativeMethods.TH_ABI_VERSION & 0xFFFF)
                    + ": take both from one release.");
            }
        }

        private static void CheckSizes()
        {
            CheckSize(1, sizeof(ThText));
            CheckSize(2, sizeof(ThField));
            CheckSize(3, sizeof(ThFields));
            CheckSize(4, sizeof(ThClientConfig));
            CheckSize(5, sizeof(ThRequest));
            CheckSize(6, sizeof(ThEvent));
            CheckSize(7, sizeof(ThHead));
            CheckSize(8, sizeof(ThTimeline));
            CheckSize(9, sizeof(ThTimelineEvent));
            CheckSize(10, sizeof(ThStats));
            CheckSize(11, sizeof(ThCloseReport));
            CheckSize(12, sizeof(ThProgress));
        }

        private static void CheckSize(uint which, int size)
        {
            uint native = NativeMethods.th_struct_size(which);
            if (native != (uint)size)
            {
                throw new TurboException(TurboError.Runtime, "Structure " + which + " has " + native
                    + " bytes in the native library and " + size + " in this package: take both from one release.");
            }
        }

        private static TurboException Missing(string what, Exception exception)
        {
            string file = "turbohttp_ffi";
            return new TurboException(TurboError.Runtime, "The native library " + file + " " + what + " for "
                + RuntimeInformation.OSDescription + ", " + (IntPtr.Size * 8) + " bit. Look for its file below Plugins/ of the "
                + "package com.turbohttp.client, and for the platforms its import settings name. (" + exception.Message + ")",
                exception);
        }
    }
}
