# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration of a private bus in the role of the system bus: who may do what is as strict as
there, so that the policy files decide. For every test that runs the real daemon."""

CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  {services}
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <policy user="0">
    <allow send_destination="org.freedesktop.DBus"
           send_interface="org.freedesktop.DBus.Monitoring"/>
  </policy>
  {policies}
</busconfig>
"""


def format_config(socket, policies, services=None):
    """@policies: paths of policy files; @services: a folder with activation files."""
    return CONFIG.format(
        socket=socket, policies="\n  ".join(f"<include>{path}</include>" for path in policies),
        services=f"<servicedir>{services}</servicedir>" if services else "")
